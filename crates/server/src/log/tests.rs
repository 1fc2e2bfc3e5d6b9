use std::io::{Seek, SeekFrom, Write};

use super::*;

fn said(n: usize) -> NewEntry {
    NewEntry::event(RawJson::parse(format!(r#"{{"type":"said","n":{n}}}"#)).unwrap())
}

fn options(dir: &Path) -> LogOptions {
    LogOptions { segment_bytes: 8 * 1024, ring_entries: 10, ..LogOptions::new(dir) }
}

async fn fill(logs: &Logs, session: &Arc<str>, epoch: Epoch, from: usize, count: usize) {
    for start in (from..from + count).step_by(50) {
        let batch = (start..(start + 50).min(from + count)).map(said).collect();
        logs.append(session, epoch, batch).await.unwrap();
    }
}

fn newest_segment(logs: &Logs, session: &str) -> PathBuf {
    segment::list(&logs.folder(session)).unwrap().pop().unwrap().path
}

#[tokio::test]
async fn positions_are_contiguous_and_continue_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let id: Arc<str> = "s1".into();
    let logs = Logs::open(options(dir.path())).unwrap();
    let claim = logs.claim(&id).await.unwrap();
    assert_eq!((claim.epoch, claim.head), (1, 0));
    fill(&logs, &id, 1, 0, 1000).await;
    logs.close().await;

    let logs = Logs::open(options(dir.path())).unwrap();
    let feed = logs.feed(&id).await.unwrap().unwrap();
    assert_eq!(feed.head(), Position { epoch: 1, seq: 1000 });
    let past = logs.read(&feed, 0, usize::MAX, usize::MAX).await.unwrap();
    assert!(past.is_contiguous(0, 1000));
    assert_eq!(past.entries[999].payload.get(), r#"{"type":"said","n":999}"#);
    let past = logs.read(&feed, 700, 10, usize::MAX).await.unwrap();
    assert_eq!(past.entries.iter().map(|entry| entry.seq).collect::<Vec<_>>(), (701..=710).collect::<Vec<_>>());
    assert_eq!(logs.claim(&id).await.unwrap().epoch, 2);
    logs.close().await;
}

#[tokio::test]
async fn a_newer_claim_fences_the_older_one() {
    let dir = tempfile::tempdir().unwrap();
    let id: Arc<str> = "s1".into();
    let logs = Logs::open(options(dir.path())).unwrap();
    let old = logs.claim(&id).await.unwrap();
    let new = logs.claim(&id).await.unwrap();
    let refused = logs.append(&id, old.epoch, vec![said(1)]).await;
    assert!(matches!(refused, Err(LogError::Fenced { epoch: 1, newest: 2, .. })), "{refused:?}");
    assert_eq!(logs.append(&id, new.epoch, vec![said(1)]).await.unwrap()[0].seq, 1);
    logs.close().await;

    let logs = Logs::open(options(dir.path())).unwrap();
    assert!(matches!(logs.append(&id, old.epoch, vec![said(2)]).await, Err(LogError::Fenced { newest: 2, .. })));
    logs.close().await;
}

#[tokio::test]
async fn a_torn_record_is_cut_off_and_writing_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let id: Arc<str> = "s1".into();
    let logs = Logs::open(options(dir.path())).unwrap();
    logs.claim(&id).await.unwrap();
    fill(&logs, &id, 1, 0, 20).await;
    logs.close().await;
    let path = newest_segment(&logs, &id);
    let length = std::fs::metadata(&path).unwrap().len();
    std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(length - 7).unwrap();

    let logs = Logs::open(options(dir.path())).unwrap();
    assert_eq!(logs.claim(&id).await.unwrap().head, 19);
    fill(&logs, &id, 2, 100, 5).await;
    logs.close().await;
    let logs = Logs::open(options(dir.path())).unwrap();
    let feed = logs.feed(&id).await.unwrap().unwrap();
    assert!(logs.read(&feed, 0, 100, usize::MAX).await.unwrap().is_contiguous(0, 24));
    logs.close().await;
}

#[tokio::test]
async fn a_flipped_bit_is_reported_and_the_rest_stays_readable() {
    let dir = tempfile::tempdir().unwrap();
    let id: Arc<str> = "s1".into();
    let logs = Logs::open(LogOptions::new(dir.path())).unwrap();
    logs.claim(&id).await.unwrap();
    fill(&logs, &id, 1, 0, 30).await;
    logs.close().await;
    let path = newest_segment(&logs, &id);
    let mut file = std::fs::OpenOptions::new().write(true).read(true).open(&path).unwrap();
    let text = std::fs::read(&path).unwrap();
    let at = text.windows(7).position(|window| window == br#""n":10}"#).unwrap();
    file.seek(SeekFrom::Start(at as u64 + 4)).unwrap();
    file.write_all(b"9").unwrap();
    drop(file);

    let logs = Logs::open(LogOptions::new(dir.path())).unwrap();
    let feed = logs.feed(&id).await.unwrap().unwrap();
    assert_eq!(feed.head().seq, 30);
    let past = logs.read(&feed, 0, 100, usize::MAX).await.unwrap();
    assert_eq!(past.damaged, [(11, 11)]);
    assert_eq!(past.entries.len(), 29);
    assert!(!past.is_contiguous(0, 30));
    assert!(logs.read(&feed, 11, 100, usize::MAX).await.unwrap().is_contiguous(11, 30));
    logs.close().await;
}

#[tokio::test]
async fn retention_keeps_the_newest_snapshot_and_what_follows() {
    let dir = tempfile::tempdir().unwrap();
    let id: Arc<str> = "s1".into();
    let logs = Logs::open(LogOptions { keep_for: Duration::ZERO, ..options(dir.path()) }).unwrap();
    let claim = logs.claim(&id).await.unwrap();
    fill(&logs, &id, 1, 0, 500).await;
    assert_eq!(claim.feed.first(), 1, "without a snapshot nothing may go");
    let snapshot = NewEntry::snapshot(RawJson::parse(r#"{"type":"session_active"}"#.to_owned()).unwrap());
    assert_eq!(logs.append(&id, 1, vec![snapshot]).await.unwrap()[0].seq, 501);
    fill(&logs, &id, 1, 501, 1000).await;
    tokio::time::sleep(Duration::from_millis(5)).await; // lets `keep_for` of zero pass on a coarse clock
    logs.sweep().await.unwrap();
    let first = claim.feed.first();
    assert!(first > 1 && first <= 501, "first is {first}");
    logs.close().await;

    let logs = Logs::open(options(dir.path())).unwrap();
    let feed = logs.feed(&id).await.unwrap().unwrap();
    assert_eq!(feed.snapshot(), Some(501));
    assert!(logs.read(&feed, 500, usize::MAX, usize::MAX).await.unwrap().is_contiguous(500, 1501));
    assert!(!logs.read(&feed, 0, usize::MAX, usize::MAX).await.unwrap().is_contiguous(0, 1501));
    logs.close().await;
}

#[tokio::test]
async fn callers_of_one_session_share_groups_and_keep_their_order() {
    let dir = tempfile::tempdir().unwrap();
    let logs = Logs::open(LogOptions { durability: Durability::Disk, ..options(dir.path()) }).unwrap();
    let id: Arc<str> = "s1".into();
    logs.claim(&id).await.unwrap();
    let mut appends = Vec::new();
    for n in 0..200 {
        let (logs, id) = (logs.clone(), id.clone());
        appends.push(tokio::spawn(async move { logs.append(&id, 1, vec![said(n), said(n)]).await.unwrap()[0].seq }));
    }
    let mut seqs = Vec::new();
    for append in appends {
        seqs.push(append.await.unwrap());
    }
    assert_eq!(seqs, (0..200).map(|n| n * 2 + 1).collect::<Vec<u64>>());
    logs.close().await;
}

#[test]
fn folders_of_different_sessions_differ() {
    let dir = Path::new("/d");
    assert_eq!(folder(dir, "0198-ab"), dir.join("0198-ab"));
    for odd in ["../up", "UPPER", "", "x-1", "a/b", "nul\0"] {
        assert!(folder(dir, odd).file_name().unwrap().to_str().unwrap().starts_with("x-"), "{odd}");
    }
    assert_ne!(folder(dir, "A"), folder(dir, "a"));
}

/// Figures for the curious: `cargo test -p pizzapi-server --lib log::tests::figures -- --ignored --nocapture`
#[tokio::test(flavor = "multi_thread")]
#[ignore = "prints figures"]
async fn figures() {
    use std::time::Instant;
    let body = format!(r#"{{"type":"message_end","text":"{}"}}"#, "x".repeat(1000));
    for durability in [Durability::Process, Durability::Disk] {
        let dir = tempfile::tempdir().unwrap();
        let logs = Logs::open(LogOptions { durability, ..LogOptions::new(dir.path()) }).unwrap();
        let id: Arc<str> = "s1".into();
        logs.claim(&id).await.unwrap();
        let mut total = 0;
        for target in [1_000, 10_000, 100_000, 300_000] {
            let (begin, from) = (Instant::now(), total);
            while total < target {
                let batch = (0..64).map(|_| NewEntry::event(RawJson::parse(body.clone()).unwrap())).collect();
                total += logs.append(&id, 1, batch).await.unwrap().len();
            }
            let each = begin.elapsed() / (total - from) as u32;
            tracing::info!(?durability, target, ?each, "append");
            eprintln!("{durability:?}: up to {target}: {each:?} per event");
        }
        let feed = logs.feed(&id).await.unwrap().unwrap();
        let begin = Instant::now();
        let past = logs.read(&feed, 150_000, 5_000, usize::MAX).await.unwrap();
        eprintln!("read {} in {:?}", past.entries.len(), begin.elapsed());
        logs.close().await;
        let begin = Instant::now();
        let logs = Logs::open(LogOptions::new(dir.path())).unwrap();
        logs.feed(&id).await.unwrap();
        eprintln!("open after restart in {:?}", begin.elapsed());
        logs.close().await;
    }
}

#[tokio::test]
async fn a_claim_says_how_far_the_writer_before_it_was_stored() {
    let dir = tempfile::tempdir().unwrap();
    let id: Arc<str> = "s1".into();
    let logs = Logs::open(options(dir.path())).unwrap();
    assert_eq!(logs.claim(&id).await.unwrap().earlier, (0, 0));
    for n in 1..=200 {
        logs.append(&id, 1, vec![said(n).counted(n as u64 + 5)]).await.unwrap();
    }
    logs.close().await;
    let logs = Logs::open(options(dir.path())).unwrap();
    assert_eq!(logs.claim(&id).await.unwrap().earlier, (1, 205));
    logs.close().await;
    let logs = Logs::open(options(dir.path())).unwrap();
    assert_eq!(logs.claim(&id).await.unwrap().earlier, (2, 0));
    logs.close().await;
}
