use std::os::unix::fs::symlink;

use pizzapi_tools::path_guard::{is_within, real_path};

#[test]
fn a_path_is_judged_by_where_it_really_leads() {
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path().canonicalize().unwrap();
    let root = base.join("root");
    std::fs::create_dir_all(root.join("sub")).unwrap();
    std::fs::create_dir(base.join("outside")).unwrap();
    std::fs::create_dir(base.join("root-next")).unwrap();
    symlink(base.join("outside"), root.join("escape")).unwrap();
    symlink(base.join("outside/not-yet"), root.join("dangling")).unwrap();
    symlink("sub", root.join("inner")).unwrap();
    symlink("loop", root.join("loop")).unwrap();
    symlink(&root, base.join("alias")).unwrap();

    let roots = [&root];
    let inside = |path: &str| is_within(&base.join(path), &roots).unwrap();
    assert!(inside("root"));
    assert!(inside("root/new/deep/file"));
    assert!(inside("root/inner/file"));
    assert!(inside("alias/file"));
    assert!(!inside("root-next/file"));
    assert!(!inside("root/../outside/file"));
    assert!(!inside("root/escape/file"));
    assert!(inside("root/escape/../root/file"));
    assert!(!inside("root/escape/../file"), "`..` behind a link is not undone by text");
    assert!(!inside("root/dangling"));
    assert!(!inside("root/dangling/file"));
    assert!(is_within(&root.join("loop"), &roots).is_err());
    assert!(!is_within::<&std::path::Path>(&root, &[]).unwrap());
    assert_eq!(real_path(&root.join("inner/a/b")).unwrap(), root.join("sub/a/b"));
}
