//! Is a path inside one of the allowed roots, when all links are followed?

use std::io;
use std::path::{Component, Path, PathBuf};

/// Follow every link of an absolute path as far as it exists, the way the kernel does: `..` behind a link leaves the folder the
/// link leads to. What does not exist yet is appended as written.
///
/// Errors: loops of links, and folders that may not be searched. A path that cannot be judged must not be allowed.
pub fn real_path(path: &Path) -> io::Result<PathBuf> {
    /// As many as the kernel follows.
    const MAX_LINKS: usize = 40;

    if !path.is_absolute() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not an absolute path"));
    }
    let mut real = PathBuf::new();
    let mut links = 0;
    let mut ahead: Vec<PathBuf> = path.components().rev().map(|part| part.as_os_str().into()).collect();
    while let Some(part) = ahead.pop() {
        match part.components().next() {
            None | Some(Component::CurDir) => {}
            Some(Component::ParentDir) => {
                real.pop();
            }
            Some(Component::RootDir | Component::Prefix(_)) => real.push(part),
            Some(Component::Normal(_)) => {
                let next = real.join(part);
                match next.symlink_metadata() {
                    Ok(metadata) if metadata.is_symlink() => {
                        links += 1;
                        if links > MAX_LINKS {
                            return Err(io::Error::other("too many levels of links"));
                        }
                        let target = std::fs::read_link(&next)?;
                        // An absolute target begins with the root, which replaces what was resolved so far.
                        ahead.extend(target.components().rev().map(|part| PathBuf::from(part.as_os_str())));
                    }
                    Ok(_) => real = next,
                    Err(error) if error.kind() == io::ErrorKind::NotFound => real = next,
                    Err(error) => return Err(error),
                }
            }
        }
    }
    Ok(real)
}

/// Does `path` lie in one of `roots`, or is it one of them? No roots: nothing is inside.
pub fn is_within<P: AsRef<Path>>(path: &Path, roots: &[P]) -> io::Result<bool> {
    let real = real_path(path)?;
    for root in roots {
        if real.starts_with(real_path(root.as_ref())?) {
            return Ok(true);
        }
    }
    Ok(false)
}
