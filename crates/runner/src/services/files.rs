//! Looking at folders and files of this machine on the relay's behalf. Everything is resolved beneath the workspace roots first.

use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;

use super::{Failure, Reply};
use crate::workspace::{Workspace, resolve};

/// Text is looked at in a browser; more than this is not read by a person.
pub const TEXT_BYTES: u64 = 256 * 1024;
/// Pictures and downloads.
pub const BINARY_BYTES: u64 = 10 * 1024 * 1024;
/// Entries of one folder that are listed.
pub const LIST_ENTRIES: usize = 10_000;
/// Hits of a search, when the asker names no limit, and at most.
pub const SEARCH_HITS: usize = 100;
pub const SEARCH_HITS_MAX: usize = 1_000;
const GIT_TIME: Duration = Duration::from_secs(10);

const NEVER_BROWSED: [&str; 2] = [".git", "node_modules"];
/// Folders with secrets or noise, hidden outside the roots.
const PRIVATE_FOLDERS: [&str; 11] =
    [".ssh", ".gnupg", ".gpg", ".aws", ".docker", ".kube", ".config", ".local", ".cache", ".npm", ".bun"];

/// An absolute path the relay may touch. `~` is the home folder.
pub fn allowed(workspace: &Workspace, path: Option<&str>, home: &Path, missing: &str) -> Result<PathBuf, Failure> {
    let path = path.map(str::trim).filter(|path| !path.is_empty()).ok_or_else(|| Failure::new(missing))?;
    if path.contains('\0') {
        return Err(Failure::new("Path outside allowed roots"));
    }
    let path = match path.strip_prefix('~') {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => home.join(rest.trim_start_matches('/')),
        _ => PathBuf::from(path),
    };
    if !workspace.allows(&path) {
        return Err(Failure::new("Path outside allowed roots"));
    }
    Ok(resolve(&path))
}

struct Entry {
    name: String,
    path: PathBuf,
    is_directory: bool,
    is_symlink: bool,
    size: Option<u64>,
}

/// Folders first, then by name without regard to case.
async fn entries(folder: &Path) -> Result<Vec<Entry>, Failure> {
    let failed = |error: std::io::Error| Failure::new(format!("failed to list `{}`: {error}", folder.display()));
    let mut reader = tokio::fs::read_dir(folder).await.map_err(failed)?;
    let mut entries = Vec::new();
    while let Some(entry) = reader.next_entry().await.map_err(failed)? {
        if entries.len() >= LIST_ENTRIES {
            break;
        }
        let Ok(kind) = entry.file_type().await else { continue };
        let target = tokio::fs::metadata(entry.path()).await.ok();
        entries.push(Entry {
            name: entry.file_name().to_string_lossy().into_owned(),
            path: entry.path(),
            is_directory: target.as_ref().is_some_and(std::fs::Metadata::is_dir),
            is_symlink: kind.is_symlink(),
            size: target.filter(std::fs::Metadata::is_file).map(|meta| meta.len()),
        });
    }
    entries.sort_by_cached_key(|entry| (!entry.is_directory, entry.name.to_lowercase()));
    Ok(entries)
}

pub async fn list(folder: &Path) -> Reply {
    let files: Vec<Value> = entries(folder)
        .await?
        .into_iter()
        .filter(|entry| entry.name != ".git")
        .map(|entry| {
            let mut file = json!({
                "name": entry.name, "path": entry.path, "isDirectory": entry.is_directory, "isSymlink": entry.is_symlink,
            });
            if let Some(size) = entry.size {
                file["size"] = size.into();
            }
            file
        })
        .collect();
    Ok(json!({ "files": files }))
}

pub async fn browse(folder: &Path, workspace: &Workspace) -> Reply {
    let hides_private = !workspace.is_restricted();
    let directories: Vec<Value> = entries(folder)
        .await?
        .into_iter()
        .filter(|entry| entry.is_directory && !NEVER_BROWSED.contains(&entry.name.as_str()))
        .filter(|entry| !(hides_private && PRIVATE_FOLDERS.contains(&entry.name.as_str())))
        .filter(|entry| workspace.allows(&entry.path))
        .map(|entry| json!({ "name": entry.name, "path": entry.path }))
        .collect();
    Ok(json!({ "directories": directories, "path": folder }))
}

/// Files git knows or would know, by a part of their path.
pub async fn search(cwd: &Path, query: &str, limit: Option<u64>) -> Reply {
    let query = query.trim().to_lowercase();
    let limit =
        limit.map_or(SEARCH_HITS, |limit| usize::try_from(limit).unwrap_or(SEARCH_HITS_MAX).clamp(1, SEARCH_HITS_MAX));
    if query.is_empty() {
        return Ok(json!({ "files": [] }));
    }
    let listing =
        super::git::run(cwd, &["ls-files", "--cached", "--others", "--exclude-standard", "-z"], GIT_TIME).await;
    let Ok(listing) = listing else { return Ok(json!({ "files": [] })) };
    let files: Vec<Value> = listing
        .stdout
        .split('\0')
        .filter(|path| path.to_lowercase().contains(&query))
        .take(limit)
        .map(|path| {
            json!({
                "name": path.rsplit('/').next().unwrap_or(path), "path": cwd.join(path), "relativePath": path,
                "isDirectory": false, "isSymlink": false,
            })
        })
        .collect();
    Ok(json!({ "files": files }))
}

/// How a file is read.
#[derive(Debug, Clone, Copy, Default)]
pub struct ReadOptions {
    pub base64: bool,
    pub max_bytes: Option<u64>,
    pub reject_truncated: bool,
}

pub async fn read(path: &Path, options: ReadOptions) -> Reply {
    let failed = |error: std::io::Error| Failure::new(format!("failed to read `{}`: {error}", path.display()));
    let file = tokio::fs::File::open(path).await.map_err(failed)?;
    let meta = file.metadata().await.map_err(failed)?;
    if !meta.is_file() {
        return Err(Failure::new(format!("`{}` is not a file", path.display())));
    }
    let ceiling = if options.base64 { BINARY_BYTES } else { TEXT_BYTES };
    let limit = options.max_bytes.map_or(ceiling, |asked| asked.clamp(1, BINARY_BYTES));
    let truncated = meta.len() > limit;
    if truncated && options.reject_truncated {
        return Ok(json!({ "size": meta.len(), "truncated": true }));
    }
    let mut bytes = Vec::new();
    file.take(limit).read_to_end(&mut bytes).await.map_err(failed)?;
    Ok(if options.base64 {
        json!({ "content": BASE64.encode(&bytes), "encoding": "base64", "size": meta.len(), "truncated": truncated })
    } else {
        // A cut may fall inside a character; what is left of it becomes one replacement mark.
        json!({ "content": String::from_utf8_lossy(&bytes), "size": meta.len(), "truncated": truncated })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_folder_lists_folders_first_and_hides_git() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["b.txt", "A.txt"] {
            std::fs::write(folder.path().join(name), name).expect("written");
        }
        for name in [".git", "zoo"] {
            std::fs::create_dir(folder.path().join(name)).expect("made");
        }
        let listing = list(folder.path()).await.expect("listed");
        let names: Vec<_> =
            listing["files"].as_array().expect("an array").iter().map(|file| file["name"].clone()).collect();
        assert_eq!(names, ["zoo", "A.txt", "b.txt"]);
        assert_eq!(listing["files"][1]["size"], 5);
    }

    #[tokio::test]
    async fn reading_says_when_it_stopped_early() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("f");
        std::fs::write(&path, "0123456789").expect("written");
        let options = ReadOptions { max_bytes: Some(4), ..ReadOptions::default() };
        let part = read(&path, options).await.expect("read");
        assert_eq!(part, json!({ "content": "0123", "size": 10, "truncated": true }));
        let refused = read(&path, ReadOptions { reject_truncated: true, ..options }).await.expect("read");
        assert_eq!(refused, json!({ "size": 10, "truncated": true }));
        let binary = read(&path, ReadOptions { base64: true, ..ReadOptions::default() }).await.expect("read");
        assert_eq!(binary["content"], "MDEyMzQ1Njc4OQ==");
    }

    #[test]
    fn paths_outside_the_roots_are_refused_in_the_exact_words() {
        let workspace = Workspace::new(["/srv"]);
        let home = Path::new("/home/ana");
        let refusal =
            |path: Option<&str>| allowed(&workspace, path, home, "Missing path").expect_err("refused").message;
        assert_eq!(refusal(None), "Missing path");
        assert_eq!(refusal(Some("/etc/passwd")), "Path outside allowed roots");
        assert_eq!(refusal(Some("/srv/../etc")), "Path outside allowed roots");
        assert_eq!(refusal(Some("~/.ssh")), "Path outside allowed roots");
    }
}
