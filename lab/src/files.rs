//! Files replaced as a whole: a reader finds the old contents or the new, and never a part.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use crate::{Error, Result};

/// Writes a file: beside its place, under another name, then on the disk, then renamed.
///
/// If `write` fails, or the program or the machine stops on the way, what stood there before stands there still. A
/// symbolic link stays one: what it points to is replaced.
///
/// # Errors
/// If `write` fails, or the folder does not exist or may not be written to.
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
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let folder = match target.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(".quietgrad-").suffix(".part");
    // A temporary file is the user's alone by default; the new one has the old one's rights, or those of any new file.
    match fs::metadata(&target) {
        Ok(old) => {
            builder.permissions(old.permissions());
        }
        #[cfg(unix)]
        Err(_) => {
            builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        }
        #[cfg(not(unix))]
        Err(_) => {}
    }
    let beside = builder.tempfile_in(folder)?;
    let mut buffer = BufWriter::with_capacity(1 << 16, beside.as_file());
    write(&mut buffer)?;
    buffer.flush()?;
    drop(buffer);
    beside.as_file().sync_all()?;
    beside.persist(&target).map_err(|error| error.error)?;
    // The new name is on the disk when the folder is.
    if cfg!(unix) {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}
