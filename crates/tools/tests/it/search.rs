use std::path::Path;

use pizzapi_tools::search::{FindArgs, GrepArgs, find, grep};
use pretty_assertions::assert_eq;
use tokio_util::sync::CancellationToken;

use crate::{text, workspace};

fn tree() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (path, content) in [
        ("src/main.rs", "fn main() {\n    let needle = 1;\n}\n"),
        ("src/deep/lib.rs", "// Needle\nneedle\n"),
        (".config/x.toml", "needle = true\n"),
        ("target/out.rs", "needle\n"),
        (".git/HEAD", "needle\n"),
        ("blob.bin", "a\0needle\n"),
        (".gitignore", "target/\n"),
    ] {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    folder
}

async fn grep_in(folder: &Path, args: GrepArgs) -> String {
    text(&grep(&workspace(folder), args, &CancellationToken::new()).await.unwrap())
}

async fn find_in(folder: &Path, pattern: &str) -> String {
    let args = FindArgs { pattern: pattern.to_owned(), ..FindArgs::default() };
    text(&find(&workspace(folder), args, &CancellationToken::new()).await.unwrap())
}

fn pattern(pattern: &str) -> GrepArgs {
    GrepArgs { pattern: pattern.to_owned(), ..GrepArgs::default() }
}

#[tokio::test]
async fn grep_sees_hidden_files_and_respects_ignore_files() {
    let folder = tree();
    assert_eq!(
        grep_in(folder.path(), pattern("needle")).await,
        ".config/x.toml:1: needle = true\nsrc/deep/lib.rs:2: needle\nsrc/main.rs:2:     let needle = 1;"
    );
    let args = GrepArgs { glob: Some("src/**/*.rs".to_owned()), ignore_case: true, ..pattern("NEEDLE") };
    assert_eq!(
        grep_in(folder.path(), args).await,
        "src/deep/lib.rs:1: // Needle\nsrc/deep/lib.rs:2: needle\nsrc/main.rs:2:     let needle = 1;"
    );
    let args = GrepArgs { path: Some("src/main.rs".to_owned()), context: Some(1), ..pattern("needle") };
    assert_eq!(
        grep_in(folder.path(), args).await,
        "src/main.rs-1- fn main() {\nsrc/main.rs:2:     let needle = 1;\nsrc/main.rs-3- }"
    );
    assert_eq!(
        grep_in(folder.path(), GrepArgs { literal: true, ..pattern("main()") }).await,
        "src/main.rs:1: fn main() {"
    );
    assert_eq!(grep_in(folder.path(), pattern("absent")).await, "No matches found");
}

#[tokio::test]
async fn grep_announces_every_cut() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("many"), "hit\n".repeat(150)).unwrap();
    std::fs::write(folder.path().join("wide"), format!("{}hit\n", "é".repeat(600))).unwrap();
    let shown = grep_in(folder.path(), pattern("hit")).await;
    assert_eq!(shown.lines().filter(|line| line.starts_with("many:")).count(), 100);
    assert!(shown.ends_with("[100 matches shown, there are more: use limit=200 or a narrower pattern]"));
    let shown = grep_in(folder.path(), GrepArgs { glob: Some("wide".to_owned()), ..pattern("hit") }).await;
    assert!(shown.contains("[some lines cut at 500 characters"), "{shown}");
    let args = pattern("(");
    let refused = grep(&workspace(folder.path()), args, &CancellationToken::new()).await.unwrap_err().to_string();
    assert!(refused.contains("use literal=true"), "{refused}");
}

#[tokio::test]
async fn find_matches_names_or_paths() {
    let folder = tree();
    assert_eq!(find_in(folder.path(), "*.rs").await, "src/deep/lib.rs\nsrc/main.rs");
    assert_eq!(find_in(folder.path(), "src/*.rs").await, "src/main.rs");
    assert_eq!(find_in(folder.path(), "**/deep").await, "src/deep/");
    assert_eq!(find_in(folder.path(), ".git*").await, ".gitignore");
    assert_eq!(find_in(folder.path(), "nothing").await, "No files found matching pattern");
}
