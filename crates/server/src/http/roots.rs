//! A first look at paths before a runner is asked. The runner decides; this saves it obvious refusals.

/// Is `path` inside one of `roots`, as written? Both kinds of separators count, `.` and `..` are resolved, links are not.
///
/// A runner without roots allows everything.
pub fn is_inside(path: &str, roots: &[String]) -> bool {
    let Some(path) = parts(path) else { return false };
    roots.is_empty() || roots.iter().filter_map(|root| parts(root)).any(|root| path.starts_with(&root))
}

/// Is it absolute, in POSIX or drive-letter form?
pub fn is_absolute(path: &str) -> bool {
    path.starts_with('/') || drive(path).is_some()
}

fn drive(path: &str) -> Option<char> {
    let mut chars = path.chars();
    let letter = chars.next().filter(char::is_ascii_alphabetic)?;
    (chars.next() == Some(':') && matches!(chars.next(), Some('/' | '\\'))).then(|| letter.to_ascii_lowercase())
}

/// Components of an absolute path, the drive first; `None` when it is relative, climbs above its root or holds a NUL.
fn parts(path: &str) -> Option<Vec<String>> {
    if path.contains('\0') {
        return None;
    }
    let mut parts = Vec::new();
    let rest = match drive(path) {
        Some(letter) => {
            parts.push(format!("{letter}:"));
            &path[2..]
        }
        None if path.starts_with('/') => path,
        // A network share.
        None if path.starts_with("\\\\") => path,
        None => return None,
    };
    let bottom = parts.len();
    for part in rest.split(['/', '\\']) {
        match part {
            "" | "." => {}
            ".." if parts.len() > bottom => drop(parts.pop()),
            ".." => return None,
            part => parts.push(part.to_owned()),
        }
    }
    Some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_stays_inside_its_roots() {
        let roots = ["/home/ana".to_owned(), "C:\\work".to_owned()];
        for inside in ["/home/ana", "/home/ana/", "/home/ana/x/../y", "/home/./ana/x", "c:/work/x", "C:\\work\\a\\b"] {
            assert!(is_inside(inside, &roots), "{inside}");
        }
        for outside in [
            "/home/anabel",
            "/home/ana/../bo",
            "/home/ana/x/../../bo",
            "/",
            "relative",
            "/home/ana/../../../..",
            "C:\\worker",
            "D:\\work",
            "/home/ana\0/x",
            "/home/ana/..\\..\\etc",
        ] {
            assert!(!is_inside(outside, &roots), "{outside}");
        }
        assert!(is_inside("/anywhere", &[]));
    }
}
