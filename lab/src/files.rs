//! Files replaced as a whole: a reader finds the old contents or the new, and never a part.

use std::fs;
use std::io::{self, BufWriter, ErrorKind, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::{Error, Result};

/// Writes a file: beside its place, under another name, then on the disk, then renamed.
///
/// If `write` fails, or the program or the machine stops on the way, what stood there before stands there still. A
/// symbolic link stays one: what it points to is replaced.
///
/// # Errors
/// If `write` fails, or the folder does not exist or may not be written to, or what stands there is read-only, or no file (a
/// device would be lost), or a link to nothing.
///
/// ```
/// use std::io::Write;
/// use quietgrad_lab::files;
///
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("notes.txt");
/// files::replace(&path, |file| write!(file, "loss {}", 0.25))?;
/// assert_eq!(std::fs::read_to_string(&path).unwrap(), "loss 0.25");
/// # Ok::<(), quietgrad_lab::Error>(())
/// ```
pub fn replace(path: impl AsRef<Path>, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
    let path = path.as_ref();
    replace_or_io(path, write).map_err(|error| Error::io(path, error))
}

fn replace_or_io(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut part = Part::beside(path)?;
    write(&mut part)?;
    part.put_in_place()
}

/// A file under construction, beside the one that it will replace. Dropped before that, it is removed.
#[derive(Debug)]
pub(crate) struct Part {
    file: BufWriter<NamedTempFile>,
    target: PathBuf,
}

impl Part {
    pub fn beside(path: &Path) -> io::Result<Part> {
        let refuse = |kind: ErrorKind, text: &str| Err(io::Error::new(kind, text));
        let (target, old) = match fs::canonicalize(path) {
            Ok(target) => (target.clone(), Some(fs::metadata(target)?)),
            Err(_) if path.is_symlink() => {
                return refuse(ErrorKind::NotFound, "the link points to nothing that could be replaced");
            }
            Err(_) => (path.to_owned(), None),
        };
        if let Some(old) = &old {
            if !old.is_file() {
                return refuse(
                    ErrorKind::InvalidInput,
                    "expected a file to replace, found a folder or a device",
                );
            }
            if old.permissions().readonly() {
                return refuse(ErrorKind::PermissionDenied, "the file is read-only");
            }
        }
        let mut builder = tempfile::Builder::new();
        builder.prefix(".quietgrad-").suffix(".part");
        // A temporary file is the user's alone by default; this one has the rights of any new file, or the old one's.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let file = builder.tempfile_in(folder_of(&target))?;
        if let Some(old) = old {
            file.as_file().set_permissions(old.permissions())?;
        }
        Ok(Part { file: BufWriter::with_capacity(1 << 16, file), target })
    }

    /// What was written goes to the disk, then the file gets its name, then the name goes to the disk.
    pub fn put_in_place(self) -> io::Result<()> {
        let file = self.file.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.as_file().sync_all()?;
        file.persist(&self.target).map_err(|error| error.error)?;
        if cfg!(unix) {
            fs::File::open(folder_of(&self.target))?.sync_all()?;
        }
        Ok(())
    }
}

impl Write for Part {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Seek for Part {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

fn folder_of(file: &Path) -> &Path {
    match file.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}
