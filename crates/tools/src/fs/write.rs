//! Writing whole files.

use std::io::Write as _;
use std::path::Path;

use serde::Deserialize;
use serde_json::json;

use crate::fs::{Files, blocking};
use crate::{Output, ToolError, ToolResult, Workspace, path_guard};

#[derive(Debug, Clone, Default, Deserialize)]
pub struct WriteArgs {
    #[serde(alias = "file_path")]
    pub path: String,
    pub content: String,
}

/// Create or overwrite a file, and the folders above it.
pub async fn write(workspace: &Workspace, files: &Files, args: WriteArgs) -> ToolResult {
    let path = workspace.resolve(&args.path);
    let target = path.clone();
    files
        .exclusively(
            &path,
            blocking(move || {
                let created = target.symlink_metadata().is_err();
                store(&target, args.content.as_bytes())?;
                let verb = if created { "created" } else { "replaced" };
                let text = format!("wrote {} bytes to {}", args.content.len(), args.path);
                Ok(Output::text(text).with_details(json!({ "bytes": args.content.len(), "change": verb })))
            }),
        )
        .await
}

/// Replace a file's content in one step where the file system allows: readers see the old or the new text, and a crash leaves
/// one of them. Links are followed, permissions kept. Files with several names, and files in folders that take no new ones, are
/// written in place.
pub(crate) fn store(path: &Path, content: &[u8]) -> Result<(), ToolError> {
    let real = path_guard::real_path(path).map_err(ToolError::io("write", path))?;
    let folder = real.parent().ok_or_else(|| ToolError::invalid(format!("`{}` is not a file", path.display())))?;
    std::fs::create_dir_all(folder).map_err(ToolError::io("create the folder of", path))?;

    let existing = match std::fs::metadata(&real) {
        Ok(metadata) if metadata.is_dir() => {
            return Err(ToolError::invalid(format!("`{}` is a directory", path.display())));
        }
        Ok(metadata) => Some(metadata),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(ToolError::io("write", path)(error)),
    };
    if let Some(metadata) = &existing
        && (!metadata.is_file() || links(metadata) > 1 || metadata.permissions().readonly())
    {
        return in_place(&real, content).map_err(ToolError::io("write", path));
    }

    let replaced = (|| {
        let mut builder = tempfile::Builder::new();
        builder.prefix(".pizzapi-").suffix(".tmp");
        let mut temporary = match &existing {
            Some(metadata) => {
                let file = builder.tempfile_in(folder)?;
                file.as_file().set_permissions(metadata.permissions())?;
                file
            }
            None => new_file(&mut builder, folder)?,
        };
        temporary.write_all(content)?;
        temporary.as_file().sync_data()?;
        temporary.persist(&real).map_err(|error| error.error)?;
        Ok(())
    })();
    match replaced {
        Err(error) if refuses_new_names(&error) && existing.is_some() => {
            in_place(&real, content).map_err(ToolError::io("write", path))
        }
        other => other.map_err(ToolError::io("write", path)),
    }
}

fn in_place(path: &Path, content: &[u8]) -> std::io::Result<()> {
    let mut file = std::fs::File::create(path)?;
    file.write_all(content)?;
    file.sync_data()
}

fn refuses_new_names(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{CrossesDevices, PermissionDenied, ReadOnlyFilesystem, ResourceBusy};
    matches!(error.kind(), PermissionDenied | ReadOnlyFilesystem | CrossesDevices | ResourceBusy)
}

/// Temporary files are private by default; a new file should be what the user's mask says.
#[cfg(unix)]
fn new_file(builder: &mut tempfile::Builder<'_, '_>, folder: &Path) -> std::io::Result<tempfile::NamedTempFile> {
    use std::os::unix::fs::OpenOptionsExt as _;
    builder.make_in(folder, |path| std::fs::OpenOptions::new().write(true).create_new(true).mode(0o666).open(path)).map(
        |file| {
            let (file, path) = file.into_parts();
            tempfile::NamedTempFile::from_parts(file, path)
        },
    )
}

#[cfg(not(unix))]
fn new_file(builder: &mut tempfile::Builder<'_, '_>, folder: &Path) -> std::io::Result<tempfile::NamedTempFile> {
    builder.tempfile_in(folder)
}

#[cfg(unix)]
fn links(metadata: &std::fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::nlink(metadata)
}

#[cfg(not(unix))]
fn links(_: &std::fs::Metadata) -> u64 {
    1
}
