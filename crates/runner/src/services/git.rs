//! Git for the browser: status, diffs, staging, commits, branches, remotes, stashes and history.
//!
//! Arguments never pass a shell, refs and paths are checked before they are used, and hooks or helpers of a repository cannot make git
//! ask for credentials on a terminal that nobody sees.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::process::Command;

use super::{Failure, Reply};

const READ_TIME: Duration = Duration::from_secs(15);
const CHANGE_TIME: Duration = Duration::from_secs(30);
const NETWORK_TIME: Duration = Duration::from_secs(60);
/// Output of one command; a diff beyond this is not read by a person.
const OUTPUT_BYTES: usize = 10 * 1024 * 1024;
const LOG_ENTRIES: u64 = 50;
const LOG_ENTRIES_MAX: u64 = 200;
const REF_BYTES: usize = 256;

pub struct Output {
    pub stdout: String,
    pub stderr: String,
}

/// Run git in `cwd`. A status other than 0 is a failure with git's own words.
pub async fn run(cwd: &Path, arguments: &[&str], limit: Duration) -> Result<Output, Failure> {
    let mut command = Command::new("git");
    command
        .arg("-C")
        .arg(cwd)
        .args(["-c", "core.quotepath=off", "-c", "color.ui=never", "-c", "protocol.ext.allow=never", "--no-pager"])
        .args(arguments)
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_OPTIONAL_LOCKS", "0")
        .env("GIT_EDITOR", "true")
        .env("GIT_SEQUENCE_EDITOR", "true")
        .env("GIT_SSH_COMMAND", "ssh -oBatchMode=yes")
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let name = arguments.first().copied().unwrap_or_default();
    let child = command.spawn().map_err(|error| Failure::new(format!("failed to run git: {error}")))?;
    let output = tokio::time::timeout(limit, child.wait_with_output())
        .await
        .map_err(|_| Failure::new(format!("git {name} did not finish within {} s", limit.as_secs())))?
        .map_err(|error| Failure::new(format!("git {name}: {error}")))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(&bytes[..bytes.len().min(OUTPUT_BYTES)]).into_owned();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    if output.status.success() {
        return Ok(Output { stdout, stderr });
    }
    let words = if stderr.trim().is_empty() { stdout.trim() } else { stderr.trim() };
    let failure = Failure::new(if words.is_empty() {
        format!("git {name} failed ({})", output.status)
    } else {
        words.to_owned()
    });
    Err(if words.contains("index.lock") || words.contains("Unable to create") && words.contains(".lock") {
        failure.with("reason", "busy").with("retryable", true)
    } else {
        failure
    })
}

/// Does `kind` change the repository? Changes wait for each other per repository; reads do not.
pub fn changes(kind: &str) -> bool {
    !matches!(
        kind,
        "git_status"
            | "git_diff"
            | "git_branches"
            | "git_full_status"
            | "git_worktrees"
            | "git_stash_list"
            | "git_log"
            | "git_diff_revs"
            | "git_blame"
            | "git_commit_files"
            | "git_commit_message_suggest"
    )
}

/// Serve one request. `kind` is the type of the service message.
pub async fn serve(kind: &str, cwd: &Path, payload: &Map<String, Value>) -> Reply {
    let text = |name: &str| payload.get(name).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty());
    let flag = |name: &str| payload.get(name).and_then(Value::as_bool).unwrap_or(false);
    let need = |name: &'static str| text(name).ok_or_else(|| Failure::new(format!("Missing {name}")));
    let paths = || -> Result<Vec<String>, Failure> {
        let list = payload.get("paths").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        list.iter().filter_map(Value::as_str).map(|path| relative(path).map(str::to_owned)).collect()
    };
    match kind {
        "git_status" => status(cwd).await,
        "git_diff" => {
            let path = relative(need("path")?)?;
            let mut arguments = vec!["diff", "--no-ext-diff"];
            if flag("staged") {
                arguments.push("--cached");
            }
            arguments.extend(["--", path]);
            let mut diff = run(cwd, &arguments, READ_TIME).await?.stdout;
            if diff.is_empty() && !flag("staged") && is_untracked(cwd, path).await {
                diff = untracked_diff(cwd, path).await?;
            }
            Ok(json!({ "diff": diff }))
        }
        "git_branches" => branches(cwd).await,
        "git_full_status" => {
            let (status, branches, worktrees) = tokio::join!(status(cwd), branches(cwd), worktrees(cwd));
            let branches = branches?;
            Ok(json!({
                "status": super::answer(status), "currentBranch": branches["currentBranch"], "branches": branches["branches"],
                "worktrees": worktrees.map(|all| all["worktrees"].clone()).unwrap_or_else(|_| json!([])),
            }))
        }
        "git_checkout" => {
            let branch = reference(need("branch")?)?;
            if flag("isRemote") {
                let local = branch.split_once('/').map_or(branch, |(_, local)| local);
                let known =
                    run(cwd, &["show-ref", "--verify", "--quiet", &format!("refs/heads/{local}")], READ_TIME).await;
                let arguments: &[&str] = if known.is_ok() {
                    &["checkout", local, "--"]
                } else {
                    &["checkout", "--track", "-b", local, branch, "--"]
                };
                run(cwd, arguments, CHANGE_TIME).await?;
                return Ok(json!({ "branch": local }));
            }
            if flag("create") {
                run(cwd, &["checkout", "-b", branch, "--"], CHANGE_TIME).await?;
            } else {
                run(cwd, &["checkout", branch, "--"], CHANGE_TIME).await?;
            }
            Ok(json!({ "branch": branch }))
        }
        "git_stage" => {
            let paths = paths()?;
            let mut arguments = vec!["add", "-A", "--"];
            extend_paths(&mut arguments, &paths, flag("all"))?;
            run(cwd, &arguments, CHANGE_TIME).await.map(|_| json!({}))
        }
        "git_unstage" => {
            let paths = paths()?;
            let has_head = run(cwd, &["rev-parse", "--verify", "-q", "HEAD"], READ_TIME).await.is_ok();
            let mut arguments =
                if has_head { vec!["reset", "-q", "HEAD", "--"] } else { vec!["rm", "-r", "-q", "--cached", "--"] };
            extend_paths(&mut arguments, &paths, flag("all"))?;
            run(cwd, &arguments, CHANGE_TIME).await.map(|_| json!({}))
        }
        "git_commit" => {
            let message = need("message")?;
            let output = run(cwd, &["commit", "-m", message], CHANGE_TIME).await?;
            Ok(json!({ "summary": output.stdout.trim() }))
        }
        "git_commit_message_suggest" => suggest(cwd).await,
        "git_push" => push(cwd, flag("setUpstream")).await,
        "git_pull" => pull(cwd, payload.get("rebase").and_then(Value::as_bool).unwrap_or(true)).await,
        "git_set_upstream" => {
            let (remote, branch) = (reference(need("remote")?)?, reference(need("branch")?)?);
            let upstream = format!("{remote}/{branch}");
            let output = run(cwd, &["branch", &format!("--set-upstream-to={upstream}")], CHANGE_TIME).await?;
            Ok(json!({ "summary": output.stdout.trim(), "branch": current_branch(cwd).await, "upstream": upstream }))
        }
        "git_merge" => output(cwd, &["merge", "--no-edit", reference(need("branch")?)?], CHANGE_TIME).await,
        "git_merge_abort" => output(cwd, &["merge", "--abort"], CHANGE_TIME).await,
        "git_rebase" => output(cwd, &["rebase", reference(need("branch")?)?], CHANGE_TIME).await,
        "git_rebase_abort" => output(cwd, &["rebase", "--abort"], CHANGE_TIME).await,
        "git_rebase_continue" => output(cwd, &["rebase", "--continue"], CHANGE_TIME).await,
        "git_worktrees" => worktrees(cwd).await,
        "git_stash_list" => stashes(cwd).await,
        "git_stash_push" => {
            let mut arguments = vec!["stash", "push"];
            if flag("includeUntracked") {
                arguments.push("--include-untracked");
            }
            let message = text("message").unwrap_or_default();
            if !message.is_empty() {
                arguments.extend(["-m", message]);
            }
            run(cwd, &arguments, CHANGE_TIME).await.map(|output| json!({ "message": output.stdout.trim() }))
        }
        "git_stash_pop" | "git_stash_apply" | "git_stash_drop" => {
            let entry = format!("stash@{{{}}}", payload.get("index").and_then(Value::as_u64).unwrap_or(0));
            let verb = kind.trim_start_matches("git_stash_");
            match run(cwd, &["stash", verb, &entry], CHANGE_TIME).await {
                Ok(output) => Ok(json!({ "message": output.stdout.trim() })),
                Err(failure) if failure.message.contains("CONFLICT") => Err(failure.with("conflict", true)),
                Err(failure) => Err(failure),
            }
        }
        "git_log" => log(cwd, payload).await,
        "git_diff_revs" => {
            let (base, head) = (reference(need("base")?)?, reference(need("head")?)?);
            let range = format!("{base}..{head}");
            let mut arguments = vec!["diff", "--no-ext-diff", &range, "--"];
            if let Some(path) = text("path") {
                arguments.push(relative(path)?);
            }
            run(cwd, &arguments, READ_TIME).await.map(|output| json!({ "diff": output.stdout }))
        }
        "git_blame" => blame(cwd, relative(need("path")?)?, text("revision")).await,
        "git_commit_files" => {
            let revision = reference(need("revision")?)?;
            let listing = match text("base") {
                Some(base) => {
                    run(cwd, &["diff", "--name-status", "-z", reference(base)?, revision, "--"], READ_TIME).await?
                }
                None => run(cwd, &["show", "--format=", "--name-status", "-z", revision, "--"], READ_TIME).await?,
            };
            Ok(json!({ "revision": revision, "files": name_status(&listing.stdout) }))
        }
        "git_discard" => {
            let paths = paths()?;
            if paths.is_empty() {
                return Err(Failure::new("Missing paths"));
            }
            for path in &paths {
                if is_untracked(cwd, path).await {
                    run(cwd, &["clean", "-f", "-d", "-q", "--", path], CHANGE_TIME).await?;
                } else {
                    run(cwd, &["checkout", "HEAD", "--", path], CHANGE_TIME).await?;
                }
            }
            Ok(json!({ "paths": paths }))
        }
        "git_worktree_add" => {
            let (branch, path) = (reference(need("branch")?)?, need("path")?);
            let target = if Path::new(path).is_absolute() { PathBuf::from(path) } else { cwd.join(path) };
            let target = target.to_string_lossy().into_owned();
            let base = text("base").map(reference).transpose()?;
            let mut arguments = vec!["worktree", "add"];
            let local = branch.split_once('/').map_or(branch, |(_, local)| local);
            if flag("create") {
                arguments.extend(["-b", branch, "--", &target]);
                arguments.extend(base);
            } else if flag("isRemote") {
                arguments.extend(["-b", local, "--", &target, branch]);
            } else {
                arguments.extend(["--", &target, branch]);
            }
            run(cwd, &arguments, CHANGE_TIME).await?;
            Ok(json!({ "branch": if flag("isRemote") { local } else { branch }, "path": target }))
        }
        "git_worktree_remove" => {
            let path = need("path")?;
            let known = worktrees(cwd).await?;
            let listed = known["worktrees"].as_array().is_some_and(|all| all.iter().any(|one| one["path"] == path));
            if !listed {
                return Err(Failure::new(format!("`{path}` is not a worktree of this repository")));
            }
            let mut arguments = vec!["worktree", "remove"];
            if flag("force") {
                arguments.push("--force");
            }
            arguments.extend(["--", path]);
            run(cwd, &arguments, CHANGE_TIME).await.map(|_| json!({ "path": path }))
        }
        "git_worktree_prune" => run(cwd, &["worktree", "prune", "-v"], CHANGE_TIME)
            .await
            .map(|output| json!({ "message": output.stderr.trim() })),
        _ => Err(Failure::new(format!("unknown request `{kind}`"))),
    }
}

/// The type an answer to `kind` carries.
pub fn result_kind(kind: &str) -> String {
    match kind {
        "git_stash_push" | "git_stash_pop" | "git_stash_apply" | "git_stash_drop" => "git_stash_result".to_owned(),
        _ => format!("{kind}_result"),
    }
}

/// The common directory of the repository `cwd` is in: equal for all its worktrees.
pub async fn family(cwd: &Path) -> Option<PathBuf> {
    let output = run(cwd, &["rev-parse", "--path-format=absolute", "--git-common-dir"], READ_TIME).await.ok()?;
    Path::new(output.stdout.trim()).canonicalize().ok()
}

async fn output(cwd: &Path, arguments: &[&str], limit: Duration) -> Reply {
    match run(cwd, arguments, limit).await {
        Ok(output) => Ok(json!({ "output": joined(&output) })),
        Err(failure) if failure.message.contains("CONFLICT") || failure.message.contains("could not apply") => {
            Err(failure.with("reason", "conflict"))
        }
        Err(failure) => Err(failure),
    }
}

fn joined(output: &Output) -> String {
    format!("{}\n{}", output.stdout.trim(), output.stderr.trim()).trim().to_owned()
}

fn extend_paths<'a>(arguments: &mut Vec<&'a str>, paths: &'a [String], all: bool) -> Result<(), Failure> {
    match (all, paths) {
        (true, _) => arguments.push("."),
        (false, []) => return Err(Failure::new("Missing paths")),
        (false, paths) => arguments.extend(paths.iter().map(String::as_str)),
    }
    Ok(())
}

/// A path inside the repository: relative, without `..`, without pathspec magic.
fn relative(path: &str) -> Result<&str, Failure> {
    let bad = path.is_empty()
        || path.starts_with(['/', ':'])
        || path.contains('\0')
        || Path::new(path).components().any(|part| matches!(part, std::path::Component::ParentDir));
    if bad { Err(Failure::new(format!("Invalid path: {path:?}"))) } else { Ok(path) }
}

/// A branch, tag or revision that cannot be taken for an option.
fn reference(name: &str) -> Result<&str, Failure> {
    let bad = name.is_empty()
        || name.len() > REF_BYTES
        || name.starts_with(['-', '.', '/'])
        || name.ends_with(['.', '/'])
        || name.ends_with(".lock")
        || name.contains("..")
        || name.contains("@{")
        || name.chars().any(|c| c.is_control() || c.is_whitespace() || matches!(c, ':' | '\\' | '?' | '*' | '['));
    if bad { Err(Failure::new(format!("Invalid name: {name:?}"))) } else { Ok(name) }
}

async fn current_branch(cwd: &Path) -> Option<String> {
    let output = run(cwd, &["symbolic-ref", "--short", "-q", "HEAD"], READ_TIME).await.ok()?;
    Some(output.stdout.trim().to_owned()).filter(|name| !name.is_empty())
}

async fn status(cwd: &Path) -> Reply {
    let arguments = ["status", "--porcelain=v2", "--branch", "-uall", "-z"];
    let (listing, root, staged) = tokio::join!(
        run(cwd, &arguments, READ_TIME),
        run(cwd, &["rev-parse", "--show-toplevel"], READ_TIME),
        run(cwd, &["diff", "--cached", "--stat"], READ_TIME),
    );
    let listing = listing?.stdout;
    let mut branch = None;
    let (mut ahead, mut behind, mut has_upstream) = (0i64, 0i64, false);
    let mut changes = Vec::new();
    let mut records = listing.split('\0');
    while let Some(record) = records.next() {
        if let Some(header) = record.strip_prefix("# ") {
            if let Some(name) = header.strip_prefix("branch.head ") {
                branch = (name != "(detached)").then(|| name.to_owned());
            } else if header.starts_with("branch.upstream ") {
                has_upstream = true;
            } else if let Some(counts) = header.strip_prefix("branch.ab ") {
                let mut counts = counts.split(' ').map(|count| count.parse::<i64>().unwrap_or(0).abs());
                ahead = counts.next().unwrap_or(0);
                behind = counts.next().unwrap_or(0);
            }
            continue;
        }
        let Some((kind, rest)) = record.split_once(' ') else { continue };
        let xy = |rest: &str| rest[..rest.len().min(2)].replace('.', " ");
        match kind {
            "1" => changes.extend(rest.splitn(8, ' ').nth(7).map(|path| json!({ "status": xy(rest), "path": path }))),
            "2" => {
                let original = records.next().unwrap_or_default();
                changes.extend(
                    rest.splitn(9, ' ')
                        .nth(8)
                        .map(|path| json!({ "status": xy(rest), "path": path, "originalPath": original })),
                );
            }
            "u" => changes.extend(rest.splitn(10, ' ').nth(9).map(|path| json!({ "status": xy(rest), "path": path }))),
            "?" => changes.push(json!({ "status": "??", "path": rest })),
            _ => {}
        }
    }
    Ok(json!({
        "cwd": cwd, "branch": branch, "repoRoot": root?.stdout.trim(), "changes": changes, "ahead": ahead, "behind": behind,
        "hasUpstream": has_upstream, "diffStaged": staged.map(|output| output.stdout).unwrap_or_default(),
    }))
}

async fn is_untracked(cwd: &Path, path: &str) -> bool {
    run(cwd, &["ls-files", "--others", "--exclude-standard", "-z", "--", path], READ_TIME)
        .await
        .is_ok_and(|output| !output.stdout.is_empty())
}

/// `git diff --no-index` ends with 1 when there is a difference, which is the only case here.
async fn untracked_diff(cwd: &Path, path: &str) -> Result<String, Failure> {
    match run(cwd, &["diff", "--no-ext-diff", "--no-index", "--", "/dev/null", path], READ_TIME).await {
        Ok(output) => Ok(output.stdout),
        Err(failure) if failure.message.starts_with("diff --git") => Ok(failure.message + "\n"),
        Err(failure) => Err(failure),
    }
}

async fn branches(cwd: &Path) -> Reply {
    let format = "--format=%(refname)%00%(objectname:short)%00%(contents:subject)%00%(HEAD)%00%(symref)";
    let arguments = ["for-each-ref", "--sort=-committerdate", format, "refs/heads", "refs/remotes"];
    let (listing, current) = tokio::join!(run(cwd, &arguments, READ_TIME), current_branch(cwd));
    let branches: Vec<Value> = listing?
        .stdout
        .lines()
        .filter_map(|line| {
            let mut fields = line.split('\0');
            let (name, hash, subject) = (fields.next()?, fields.next()?, fields.next()?);
            let is_current = fields.next()? == "*";
            if fields.next().is_some_and(|symbolic| !symbolic.is_empty()) {
                return None; // origin/HEAD
            }
            let is_remote = name.starts_with("refs/remotes/");
            let name = name.trim_start_matches("refs/heads/").trim_start_matches("refs/remotes/");
            Some(json!({
                "name": name, "shortHash": hash, "lastCommit": subject, "isCurrent": is_current, "isRemote": is_remote,
            }))
        })
        .collect();
    Ok(json!({ "currentBranch": current, "branches": branches }))
}

async fn worktrees(cwd: &Path) -> Reply {
    let listing = run(cwd, &["worktree", "list", "--porcelain", "-z"], READ_TIME).await?.stdout;
    let home = std::env::home_dir();
    let mut worktrees = Vec::new();
    for (index, block) in listing.split("\0\0").filter(|block| !block.trim_matches('\0').is_empty()).enumerate() {
        let field = |name: &str| block.split('\0').find_map(|line| line.strip_prefix(name));
        let Some(path) = field("worktree ") else { continue };
        let display = home
            .as_deref()
            .and_then(|home| Path::new(path).strip_prefix(home).ok())
            .map_or_else(|| path.to_owned(), |rest| format!("~/{}", rest.display()));
        let state = status(Path::new(path)).await.unwrap_or_else(|_| json!({}));
        worktrees.push(json!({
            "path": path, "displayPath": display,
            "branch": field("branch ").map(|name| name.trim_start_matches("refs/heads/")),
            "shortHash": field("HEAD ").map(|hash| &hash[..hash.len().min(7)]),
            "isDetached": block.split('\0').any(|line| line == "detached"), "isMain": index == 0,
            "changeCount": state["changes"].as_array().map_or(0, Vec::len),
            "ahead": state["ahead"].as_i64().unwrap_or(0), "behind": state["behind"].as_i64().unwrap_or(0),
        }));
    }
    Ok(json!({ "worktrees": worktrees }))
}

async fn stashes(cwd: &Path) -> Reply {
    let listing = run(cwd, &["stash", "list", "--format=%gd%x00%s%x00%h%x00%cI"], READ_TIME).await?.stdout;
    let stashes: Vec<Value> = listing
        .lines()
        .enumerate()
        .filter_map(|(index, line)| {
            let mut fields = line.split('\0');
            Some(json!({
                "index": index, "ref": fields.next()?, "message": fields.next()?, "shortHash": fields.next()?, "date": fields.next()?,
            }))
        })
        .collect();
    Ok(json!({ "stashes": stashes }))
}

async fn push(cwd: &Path, set_upstream: bool) -> Reply {
    let result = if set_upstream {
        let branch = current_branch(cwd).await.ok_or_else(|| Failure::new("not on a branch"))?;
        let remotes = run(cwd, &["remote"], READ_TIME).await?.stdout;
        let remote = remotes.lines().find(|name| *name == "origin").or(remotes.lines().next());
        let remote = remote.ok_or_else(|| Failure::new("this repository has no remote"))?;
        run(cwd, &["push", "--set-upstream", remote, &branch], NETWORK_TIME).await
    } else {
        run(cwd, &["push"], NETWORK_TIME).await
    };
    result.map(|output| json!({ "output": joined(&output) })).map_err(|failure| {
        let no_upstream = failure.message.contains("no upstream branch");
        failure.with("noUpstream", no_upstream)
    })
}

async fn pull(cwd: &Path, rebase: bool) -> Reply {
    let branch =
        current_branch(cwd).await.ok_or_else(|| Failure::new("not on a branch").with("reason", "detachedHead"))?;
    let remote = run(cwd, &["config", "--get", &format!("branch.{branch}.remote")], READ_TIME).await;
    let merge = run(cwd, &["config", "--get-all", &format!("branch.{branch}.merge")], READ_TIME).await;
    let (Ok(remote), Ok(merge)) = (remote, merge) else {
        return Err(Failure::new(format!("`{branch}` has no upstream")).with("reason", "missingUpstream"));
    };
    let remote = remote.stdout.trim().to_owned();
    let merges: Vec<&str> = merge.stdout.lines().map(|name| name.trim_start_matches("refs/heads/")).collect();
    let [upstream] = merges[..] else {
        return Err(Failure::new(format!("`{branch}` has several upstreams"))
            .with("reason", "ambiguousUpstream")
            .with("mergeBranches", merges.clone()));
    };
    run(cwd, &["fetch", "--", &remote, upstream], NETWORK_TIME).await?;
    let arguments: &[&str] = if rebase { &["rebase", "FETCH_HEAD"] } else { &["merge", "--ff-only", "FETCH_HEAD"] };
    match run(cwd, arguments, NETWORK_TIME).await {
        Ok(output) => {
            Ok(json!({ "output": joined(&output), "branch": branch, "remote": remote, "upstream": upstream }))
        }
        Err(failure) if failure.message.contains("CONFLICT") || failure.message.contains("could not apply") => {
            Err(failure.with("reason", "conflict"))
        }
        Err(failure) if failure.message.contains("fast-forward") => Err(failure.with("reason", "nonFastForward")),
        Err(failure) => Err(failure),
    }
}

async fn log(cwd: &Path, payload: &Map<String, Value>) -> Reply {
    let limit = payload.get("limit").and_then(Value::as_u64).unwrap_or(LOG_ENTRIES).clamp(1, LOG_ENTRIES_MAX);
    let limit = format!("--max-count={limit}");
    let format = "--format=%H%x00%h%x00%an%x00%aI%x00%cI%x00%s%x00%b%x00%D%x00%P%x1e";
    let mut arguments = vec!["log", &limit, format];
    if let Some(range) = payload.get("revisionRange").and_then(Value::as_str) {
        for side in range.split("..").filter(|side| !side.is_empty()) {
            reference(side.trim_start_matches('.'))?;
        }
        arguments.push(range);
    }
    arguments.push("--");
    if let Some(path) = payload.get("path").and_then(Value::as_str).filter(|path| !path.is_empty()) {
        arguments.push(relative(path)?);
    }
    let listing = run(cwd, &arguments, READ_TIME).await?.stdout;
    let entries: Vec<Value> = listing
        .split('\u{1e}')
        .filter_map(|entry| {
            let fields: Vec<&str> = entry.trim_start_matches('\n').split('\0').collect();
            let [hash, short, author, authored, committed, subject, body, refs, parents] = fields[..] else {
                return None;
            };
            let list = |text: &str, by: &str| -> Vec<String> {
                text.split(by).map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
            };
            Some(json!({
                "hash": hash, "shortHash": short, "author": author, "authorDate": authored, "commitDate": committed,
                "subject": subject, "body": body.trim(), "refs": list(refs, ","), "parents": list(parents, " "),
            }))
        })
        .collect();
    Ok(json!({ "entries": entries }))
}

async fn blame(cwd: &Path, path: &str, revision: Option<&str>) -> Reply {
    let mut arguments = vec!["blame", "--line-porcelain"];
    if let Some(revision) = revision {
        arguments.push(reference(revision)?);
    }
    arguments.extend(["--", path]);
    let listing = run(cwd, &arguments, READ_TIME).await?.stdout;
    let (mut lines, mut content) = (Vec::new(), Vec::new());
    let mut line = json!({});
    for row in listing.lines() {
        if let Some(text) = row.strip_prefix('\t') {
            content.push(text.to_owned());
            lines.push(std::mem::replace(&mut line, json!({})));
            continue;
        }
        let Some((key, value)) = row.split_once(' ') else { continue };
        match key {
            "author" | "summary" => line[key] = value.into(),
            "author-time" => line["authorDate"] = iso(value).into(),
            hash if hash.len() == 40 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
                let mut numbers = value.split(' ').map(|number| number.parse::<u64>().unwrap_or(0));
                line["hash"] = hash.into();
                line["sourceLine"] = numbers.next().into();
                line["finalLine"] = numbers.next().into();
            }
            _ => {}
        }
    }
    Ok(json!({ "lines": lines, "content": content }))
}

fn iso(seconds: &str) -> String {
    seconds
        .parse::<i64>()
        .ok()
        .and_then(|seconds| time::OffsetDateTime::from_unix_timestamp(seconds).ok())
        .and_then(|time| time.format(&time::format_description::well_known::Rfc3339).ok())
        .unwrap_or_default()
}

fn name_status(listing: &str) -> Vec<Value> {
    let mut fields = listing.split('\0').filter(|field| !field.is_empty());
    let mut files = Vec::new();
    while let (Some(status), Some(path)) = (fields.next(), fields.next()) {
        // A rename names the old path first.
        let path = if status.starts_with(['R', 'C']) { fields.next().unwrap_or(path) } else { path };
        files.push(json!({ "status": status, "path": path }));
    }
    files
}

/// A commit message from what is staged: which area, and what happened to it.
async fn suggest(cwd: &Path) -> Reply {
    let listing = run(cwd, &["diff", "--cached", "--numstat", "-z"], READ_TIME).await?.stdout;
    let files: Vec<(String, u64, u64)> = listing
        .split('\0')
        .filter_map(|row| {
            let mut fields = row.trim_start_matches('\n').splitn(3, '\t');
            let count = |field: &str| field.parse().unwrap_or(0);
            let (added, deleted, path) = (count(fields.next()?), count(fields.next()?), fields.next()?);
            Some((path.to_owned(), added, deleted))
        })
        .collect();
    if files.is_empty() {
        return Err(Failure::new("nothing is staged"));
    }
    let is = |endings: &[&str]| files.iter().all(|(path, ..)| endings.iter().any(|ending| path.contains(ending)));
    let (added, deleted): (u64, u64) =
        files.iter().fold((0, 0), |sum, (_, added, deleted)| (sum.0 + added, sum.1 + deleted));
    let kind = if is(&[".md", "docs/"]) {
        "docs"
    } else if is(&["test", "spec"]) {
        "test"
    } else if deleted == 0 && added > 0 {
        "feat"
    } else {
        "chore"
    };
    let scope = files[0].0.split('/').next().filter(|_| files[0].0.contains('/')).unwrap_or_default().to_owned();
    let scope = if files.iter().all(|(path, ..)| path.split('/').next() == Some(scope.as_str())) {
        scope
    } else {
        String::new()
    };
    let verb = if deleted == 0 {
        "Add"
    } else if added == 0 {
        "Remove"
    } else {
        "Update"
    };
    let subject = match &files[..] {
        [(path, ..)] => format!("{verb} {path}"),
        _ => format!(
            "{verb} {} files{}",
            files.len(),
            if scope.is_empty() { String::new() } else { format!(" in {scope}") }
        ),
    };
    let rows: Vec<Value> = files
        .iter()
        .map(|(path, added, deleted)| json!({ "path": path, "added": added, "deleted": deleted }))
        .collect();
    Ok(json!({ "subject": subject, "body": "", "type": kind, "scope": scope, "files": rows }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_be_options_or_lead_elsewhere_are_refused() {
        for name in ["-f", "--upload-pack=x", "a..b", "x@{1}", "a b", "a:b", "a.lock", ""] {
            assert!(reference(name).is_err(), "{name:?}");
        }
        for name in ["main", "feature/x-1", "v1.0", "origin/main", "HEAD~2", "abc^"] {
            assert!(reference(name).is_ok(), "{name:?}");
        }
        for path in ["/etc/passwd", "../x", "a/../../x", ":(top)x", ""] {
            assert!(relative(path).is_err(), "{path:?}");
        }
    }

    async fn repository() -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        for arguments in [
            &["init", "-q", "-b", "main"][..],
            &["config", "user.email", "ana@example.com"],
            &["config", "user.name", "Ana"],
        ] {
            run(folder.path(), arguments, READ_TIME).await.map_err(|failure| failure.message).expect("git works");
        }
        folder
    }

    async fn ask(folder: &Path, kind: &str, payload: Value) -> Value {
        super::super::answer(serve(kind, folder, payload.as_object().expect("an object")).await)
    }

    #[tokio::test]
    async fn a_change_travels_from_untracked_to_the_log() {
        let repository = repository().await;
        let folder = repository.path();
        std::fs::write(folder.join("a b.txt"), "one\n").expect("written");
        let status = ask(folder, "git_status", json!({})).await;
        assert_eq!(status["changes"], json!([{ "status": "??", "path": "a b.txt" }]));
        assert_eq!(status["branch"], "main");
        let diff = ask(folder, "git_diff", json!({ "path": "a b.txt" })).await;
        assert!(diff["diff"].as_str().expect("text").contains("+one"), "{diff}");
        assert_eq!(ask(folder, "git_stage", json!({ "paths": ["a b.txt"] })).await, json!({ "ok": true }));
        assert_eq!(ask(folder, "git_commit_message_suggest", json!({})).await["subject"], "Add a b.txt");
        assert_eq!(ask(folder, "git_commit", json!({ "message": "First" })).await["ok"], true);
        let log = ask(folder, "git_log", json!({ "limit": 5 })).await;
        assert_eq!(log["entries"][0]["subject"], "First");
        std::fs::write(folder.join("a b.txt"), "two\n").expect("written");
        assert_eq!(ask(folder, "git_discard", json!({ "paths": ["a b.txt"] })).await["ok"], true);
        assert_eq!(std::fs::read_to_string(folder.join("a b.txt")).expect("read"), "one\n");
        let blame = ask(folder, "git_blame", json!({ "path": "a b.txt" })).await;
        assert_eq!(blame["content"], json!(["one"]));
        assert_eq!(blame["lines"][0]["finalLine"], 1);
    }

    #[tokio::test]
    async fn pull_without_upstream_and_push_without_remote_say_why() {
        let repository = repository().await;
        let pulled = ask(repository.path(), "git_pull", json!({})).await;
        assert_eq!((&pulled["ok"], &pulled["reason"]), (&json!(false), &json!("missingUpstream")));
        let pushed = ask(repository.path(), "git_push", json!({ "setUpstream": true })).await;
        assert_eq!(pushed["ok"], false);
    }
}
