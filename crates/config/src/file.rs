//! JSON files of people: read with exact positions, written whole or not at all.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

/// A file that could not be read, understood or written.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error("failed to read `{}`: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("failed to write `{}`: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
    /// Positions count from 1.
    #[error("`{}:{line}:{column}`: {message}", path.display())]
    Syntax { path: PathBuf, line: usize, column: usize, message: String },
    #[error("`{}` must hold a JSON object", path.display())]
    NotAnObject { path: PathBuf },
}

/// Read a JSON object. `None`: there is no such file, or it is empty.
pub fn read_object(path: &Path) -> Result<Option<Map<String, Value>>, FileError> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(FileError::Read { path: path.to_owned(), source }),
    };
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    if text.trim().is_empty() {
        return Ok(None);
    }
    match serde_json::from_str(text) {
        Ok(Value::Object(object)) => Ok(Some(object)),
        Ok(_) => Err(FileError::NotAnObject { path: path.to_owned() }),
        Err(error) => Err(FileError::Syntax {
            path: path.to_owned(),
            line: error.line(),
            column: error.column(),
            message: without_position(&error),
        }),
    }
}

/// serde_json says the position itself; we say it in front.
fn without_position(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let tail = format!(" at line {} column {}", error.line(), error.column());
    text.strip_suffix(&tail).unwrap_or(&text).to_owned()
}

/// Change a JSON object in its file. Members the change does not touch stay as they are, in their order.
///
/// Processes that do this at the same time wait for each other. A file that cannot be read is left alone.
pub fn update_object(path: &Path, change: impl FnOnce(&mut Map<String, Value>)) -> Result<(), FileError> {
    let failed = |source| FileError::Write { path: path.to_owned(), source };
    if let Some(folder) = path.parent() {
        create_private_dir(folder).map_err(failed)?;
    }
    let lock = lock_beside(path).map_err(failed)?;
    let mut object = read_object(path)?.unwrap_or_default();
    change(&mut object);
    let mut text = serde_json::to_string_pretty(&object).map_err(|error| failed(error.into()))?;
    text.push('\n');
    write_private(path, text.as_bytes())?;
    drop(lock);
    Ok(())
}

/// Replace a file in one step, readable by its owner only.
pub fn write_private(path: &Path, content: &[u8]) -> Result<(), FileError> {
    let failed = |source| FileError::Write { path: path.to_owned(), source };
    // A link stays a link: what it points at is replaced.
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    create_private_dir(folder).map_err(failed)?;
    // Made with mode 0600 by `tempfile`.
    let mut file = tempfile::Builder::new().prefix(".pizzapi-").tempfile_in(folder).map_err(failed)?;
    file.write_all(content).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    file.persist(&target).map_err(|error| failed(error.error))?;
    Ok(())
}

/// Make a folder, and those above it, for the owner only. Folders that exist keep their mode.
pub fn create_private_dir(folder: &Path) -> io::Result<()> {
    if folder.as_os_str().is_empty() {
        return Ok(());
    }
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Held until it is dropped. The file stays: removing it would race with the next holder.
fn lock_beside(path: &Path) -> io::Result<File> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".lock");
    let mut options = File::options();
    options.create(true).truncate(false).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path.with_file_name(name))?;
    file.lock()?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    #[test]
    fn a_mistake_is_found_by_line_and_column() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("config.json");
        fs::write(&path, "{\n  \"apiKey\": \"x\",\n  oops\n}\n").expect("written");
        let error = read_object(&path).expect_err("not JSON");
        let FileError::Syntax { line, column, .. } = &error else { panic!("{error}") };
        assert_eq!((*line, *column), (3, 3));
        assert_eq!(error.to_string(), format!("`{}:3:3`: key must be a string", path.display()));
    }

    #[test]
    fn saving_keeps_what_it_does_not_know_and_refuses_to_overwrite_what_it_cannot_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("deep").join("config.json");
        update_object(&path, |object| {
            object.insert("z".to_owned(), Value::from(1));
        })
        .expect("saved");
        fs::write(&path, r#"{"novel": {"a": [1]}, "z": 1}"#).expect("written");
        update_object(&path, |object| {
            object.insert("z".to_owned(), Value::from(2));
        })
        .expect("saved");
        assert_eq!(
            fs::read_to_string(&path).expect("read"),
            "{\n  \"novel\": {\n    \"a\": [\n      1\n    ]\n  },\n  \"z\": 2\n}\n"
        );

        fs::write(&path, "{").expect("written");
        assert!(update_object(&path, |object| object.clear()).is_err());
        assert_eq!(fs::read_to_string(&path).expect("read"), "{");
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_may_look() {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = |path: &Path| fs::metadata(path).expect("exists").permissions().mode() & 0o777;
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("home").join("config.json");
        update_object(&path, |_| {}).expect("saved");
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(path.parent().expect("a folder")), 0o700);
    }

    #[test]
    fn writers_at_the_same_time_lose_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("config.json");
        std::thread::scope(|scope| {
            for writer in 0..8 {
                let path = &path;
                scope.spawn(move || {
                    update_object(path, |object| {
                        object.insert(format!("k{writer}"), Value::from(writer));
                    })
                    .expect("saved");
                });
            }
        });
        assert_eq!(read_object(&path).expect("read").expect("an object").len(), 8);
    }
}
