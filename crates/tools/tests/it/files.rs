use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use pizzapi_tools::fs::{Edit, EditArgs, Files, ListArgs, ReadArgs, WriteArgs, edit, list, read, write};
use pizzapi_tools::{Content, ToolResult};
use pretty_assertions::assert_eq;
use tokio_util::sync::CancellationToken;

use crate::{text, workspace};

async fn read_file(folder: &Path, path: &str, offset: Option<usize>, limit: Option<usize>) -> ToolResult {
    let args = ReadArgs { path: path.to_owned(), offset, limit };
    read(&workspace(folder), args, true, &CancellationToken::new()).await
}

async fn edit_file(folder: &Path, path: &str, old: &str, new: &str) -> ToolResult {
    let edits = vec![Edit { old_text: old.to_owned(), new_text: new.to_owned() }];
    edit(&workspace(folder), &Files::new(), EditArgs { path: path.to_owned(), edits }).await
}

#[tokio::test]
async fn a_long_file_is_read_in_parts_that_meet() {
    let folder = tempfile::tempdir().unwrap();
    let lines: String = (1..=4_500).map(|n| format!("line {n}\n")).collect();
    std::fs::write(folder.path().join("long"), &lines).unwrap();

    let first = text(&read_file(folder.path(), "long", None, None).await.unwrap());
    assert!(first.ends_with("line 2000\n\n[Showing lines 1-2000 of 4500. Use offset=2001 to continue.]"));
    let last = text(&read_file(folder.path(), "long", Some(4_001), None).await.unwrap());
    assert!(last.starts_with("line 4001\n") && last.ends_with("line 4500"));
    let two = text(&read_file(folder.path(), "long", Some(10), Some(2)).await.unwrap());
    assert_eq!(two, "line 10\nline 11\n\n[4489 more lines in file. Use offset=12 to continue.]");
    let past = read_file(folder.path(), "long", Some(4_501), None).await.unwrap_err().to_string();
    assert_eq!(past, "offset 4501 is past the end: `long` has 4500 lines");
}

#[tokio::test]
async fn bytes_limit_lines_too_and_one_endless_line_is_pointed_at() {
    let folder = tempfile::tempdir().unwrap();
    let wide = format!("{}\n", "x".repeat(999)).repeat(100);
    std::fs::write(folder.path().join("wide"), wide).unwrap();
    let shown = text(&read_file(folder.path(), "wide", None, None).await.unwrap());
    assert!(
        shown.ends_with("[Showing lines 1-51 of 100 (50KB limit). Use offset=52 to continue.]"),
        "{}",
        &shown[50_000..]
    );

    std::fs::write(folder.path().join("one line"), "y".repeat(3_000_000)).unwrap();
    let shown = text(&read_file(folder.path(), "one line", None, None).await.unwrap());
    assert!(shown.contains("[Line 1 is 2.9MB") && shown.contains("sed -n '1p' 'one line' | head -c 51200"), "{shown}");
}

#[tokio::test]
async fn what_is_no_text_is_named_instead_of_shown() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("binary"), b"\x7fELF\0\0\0").unwrap();
    std::fs::write(folder.path().join("empty"), b"").unwrap();
    let refused = read_file(folder.path(), "binary", None, None).await.unwrap_err().to_string();
    assert!(refused.contains("is not text"), "{refused}");
    assert_eq!(text(&read_file(folder.path(), "empty", None, None).await.unwrap()), "(empty file)");
    let missing = read_file(folder.path(), "missing", None, None).await.unwrap_err().to_string();
    assert!(missing.contains("failed to read") && missing.contains("No such file"), "{missing}");
    assert!(read_file(folder.path(), ".", None, None).await.unwrap_err().to_string().contains("is a directory"));
}

#[tokio::test]
async fn a_name_is_found_in_the_spelling_the_disk_has() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("cafe\u{301}.txt"), "nfd").unwrap();
    std::fs::write(folder.path().join("it\u{2019}s.txt"), "curly").unwrap();
    std::fs::write(folder.path().join("Shot 3.04\u{202f}PM.txt"), "narrow").unwrap();
    for (asked, content) in [("caf\u{e9}.txt", "nfd"), ("it's.txt", "curly"), ("@Shot 3.04 PM.txt", "narrow")] {
        assert_eq!(text(&read_file(folder.path(), asked, None, None).await.unwrap()), content);
    }
}

#[tokio::test]
async fn images_become_attachments_small_enough_for_any_provider() {
    let folder = tempfile::tempdir().unwrap();
    let picture = image::RgbImage::from_fn(3_000, 1_500, |x, y| image::Rgb([(x * y) as u8, x as u8, y as u8]));
    picture.save(folder.path().join("large.png")).unwrap();
    image::RgbImage::new(10, 20).save(folder.path().join("small.bmp")).unwrap();
    // The name lies, the content counts.
    std::fs::rename(folder.path().join("large.png"), folder.path().join("large.txt")).unwrap();

    let output = read_file(folder.path(), "large.txt", None, None).await.unwrap();
    assert!(text(&output).contains("[Scaled from 3000x1500 to "), "{}", text(&output));
    match &output.content[1] {
        Content::Image { data, .. } => assert!(data.len() <= 4_700_000),
        other => panic!("no picture: {other:?}"),
    }
    let output = read_file(folder.path(), "small.bmp", None, None).await.unwrap();
    assert!(matches!(&output.content[1], Content::Image { mime_type, .. } if mime_type == "image/png"));
    let args = ReadArgs { path: "small.bmp".to_owned(), ..ReadArgs::default() };
    let blind = read(&workspace(folder.path()), args, false, &CancellationToken::new()).await.unwrap();
    assert!(text(&blind).contains("cannot see images"));
    std::fs::write(folder.path().join("broken.png"), b"\x89PNG\r\n\x1a\nnothing").unwrap();
    let broken = read_file(folder.path(), "broken.png", None, None).await.unwrap_err().to_string();
    assert!(broken.starts_with("failed to decode the image"), "{broken}");
}

#[tokio::test]
async fn writing_replaces_in_one_step_and_keeps_what_a_file_is() {
    let folder = tempfile::tempdir().unwrap();
    let files = Files::new();
    let put = async |path: &str, content: &str| {
        let args = WriteArgs { path: path.to_owned(), content: content.to_owned() };
        write(&workspace(folder.path()), &files, args).await
    };
    assert_eq!(text(&put("a/b/c.txt", "héllo").await.unwrap()), "wrote 6 bytes to a/b/c.txt");
    let script = folder.path().join("run.sh");
    std::fs::write(&script, "old").unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    symlink("run.sh", folder.path().join("link.sh")).unwrap();
    put("link.sh", "new").await.unwrap();
    assert_eq!(std::fs::read_to_string(&script).unwrap(), "new");
    assert_eq!(std::fs::metadata(&script).unwrap().permissions().mode() & 0o777, 0o755);
    assert!(folder.path().join("link.sh").symlink_metadata().unwrap().is_symlink());

    // A second name must go on showing the same file.
    std::fs::hard_link(&script, folder.path().join("twin")).unwrap();
    put("twin", "both").await.unwrap();
    assert_eq!(std::fs::read_to_string(&script).unwrap(), "both");
    assert!(put("a", "x").await.unwrap_err().to_string().contains("is a directory"));
    let names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names.len(), 4, "temporary files were left: {names:?}");
}

#[tokio::test]
async fn editing_reports_what_changed_and_keeps_marks_and_line_ends() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("f.txt");
    std::fs::write(&file, "\u{feff}one\r\ntwo\r\nthree\r\n").unwrap();
    let output = edit_file(folder.path(), "f.txt", "two\n", "2\n2.5\n").await.unwrap();
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "\u{feff}one\r\n2\r\n2.5\r\nthree\r\n");
    let details = output.details.unwrap();
    assert_eq!(details["firstChangedLine"], 2);
    assert_eq!(details["diff"], " 1 one\n-2 two\n+2 2\n+3 2.5\n 4 three");
    assert!(details["patch"].as_str().unwrap().contains("@@ -1,3 +1,4 @@"));
    assert!(edit_file(folder.path(), "missing", "a", "b").await.is_err());
}

#[tokio::test]
async fn changes_of_one_file_wait_for_each_other_under_any_name() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("count"), "start\n").unwrap();
    symlink("count", folder.path().join("alias")).unwrap();
    let files = Files::new();
    let mut tasks = Vec::new();
    for n in 0..50 {
        let (workspace, files) = (workspace(folder.path()), files.clone());
        tasks.push(tokio::spawn(async move {
            let path = if n % 2 == 0 { "count" } else { "alias" }.to_owned();
            let edits = vec![Edit { old_text: "start\n".to_owned(), new_text: format!("start\n{n}\n") }];
            edit(&workspace, &files, EditArgs { path, edits }).await.unwrap();
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(std::fs::read_to_string(folder.path().join("count")).unwrap().lines().count(), 51);
}

#[tokio::test]
async fn listing_sorts_marks_and_counts() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["b.txt", "A.txt", ".hidden"] {
        std::fs::write(folder.path().join(name), "").unwrap();
    }
    std::fs::create_dir(folder.path().join("Dir")).unwrap();
    symlink("Dir", folder.path().join("link")).unwrap();
    let all = list(&workspace(folder.path()), ListArgs::default()).await.unwrap();
    assert_eq!(text(&all), ".hidden\nA.txt\nb.txt\nDir/\nlink/");
    let some = list(&workspace(folder.path()), ListArgs { path: None, limit: Some(2) }).await.unwrap();
    assert_eq!(text(&some), ".hidden\nA.txt\n\n[2 of 5 entries shown, use limit=4 for more]");
}
