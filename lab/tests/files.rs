//! Files replaced as a whole.

use std::fs;

use quietgrad_lab::files;
use tempfile::tempdir;

#[test]
fn what_fails_on_the_way_leaves_the_old_file_and_no_other() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    fs::write(&path, "old").unwrap();
    let failed = files::replace(&path, |file| {
        file.write_all(b"half of the new")?;
        Err(std::io::Error::other("the disk is full"))
    });
    let text = failed.unwrap_err().to_string();
    assert!(text.ends_with("the disk is full") && text.contains("model.safetensors"), "{text}");
    assert_eq!(fs::read(&path).unwrap(), b"old");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn what_is_no_file_or_read_only_is_not_replaced() {
    let folder = tempdir().unwrap();
    let refused =
        |path: &std::path::Path| files::replace(path, |file| file.write_all(b"new")).unwrap_err().to_string();
    assert!(refused(folder.path()).ends_with("expected a file to replace, found a folder or a device"));
    let path = folder.path().join("kept");
    fs::write(&path, "old").unwrap();
    let mut rights = fs::metadata(&path).unwrap().permissions();
    rights.set_readonly(true);
    fs::set_permissions(&path, rights).unwrap();
    assert!(refused(&path).ends_with("the file is read-only"));
    assert_eq!(fs::read(&path).unwrap(), b"old");
    #[cfg(unix)]
    {
        assert!(refused("/dev/null".as_ref()).contains("a device"), "a device would be lost");
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(folder.path().join("nothing"), &link).unwrap();
        assert!(refused(&link).ends_with("the link points to nothing that could be replaced"));
        assert!(link.is_symlink());
    }
}

#[cfg(unix)]
#[test]
fn a_link_stays_a_link_and_rights_stay_as_they_were() {
    use std::os::unix::fs::{PermissionsExt, symlink};

    let folder = tempdir().unwrap();
    let (target, link) = (folder.path().join("target"), folder.path().join("link"));
    fs::write(&target, "old").unwrap();
    fs::set_permissions(&target, fs::Permissions::from_mode(0o646)).unwrap();
    symlink(&target, &link).unwrap();
    files::replace(&link, |file| file.write_all(b"new")).unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(fs::read(&target).unwrap(), b"new");
    assert_eq!(fs::metadata(&target).unwrap().permissions().mode() & 0o777, 0o646);

    // A new file has the rights of any new file.
    let (ours, theirs) = (folder.path().join("ours"), folder.path().join("theirs"));
    files::replace(&ours, |file| file.write_all(b"new")).unwrap();
    fs::write(&theirs, "new").unwrap();
    let rights = |path| fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(rights(&ours), rights(&theirs));
}
