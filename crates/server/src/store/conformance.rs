//! What every backend promises. Each function is one promise; tests call them with whatever backend they have.

use pizzapi_protocol::meta::{PlanModeToggled, TodoUpdated};
use pizzapi_protocol::{Maybe, MetaEvent, PeerCapabilities, RunnerId, SessionId, TerminalId, UserId};

use super::session::{Beat, Claim, Life, Link, LinkState};
use super::{Audience, StoreError, Stores, TerminalRecord};
use crate::core::lifecycle::Presence;

fn claim(id: &str, user: &str, now: i64) -> Claim {
    Claim {
        session_id: Some(SessionId::from(id)),
        user_id: UserId::from(user),
        user_name: user.to_owned(),
        cwd: "/work".to_owned(),
        is_ephemeral: true,
        collab_mode: true,
        session_name: None,
        session_file: None,
        parent: Maybe::Absent,
        capabilities: PeerCapabilities::default(),
        base_url: "http://localhost".to_owned(),
        history: None,
        now,
        expires_at: None,
    }
}

pub async fn a_newer_claim_fences_the_older_one(stores: &Stores) -> Result<(), StoreError> {
    let sessions = &stores.sessions;
    let old = sessions.claim(claim("fenced", "ana", 1)).await?.record;
    let new = sessions.claim(claim("fenced", "ana", 2)).await?;
    assert_eq!(new.life, Life::TakenOver);
    assert_eq!(new.record.started_at, 1, "the first registration counts");
    assert_eq!(new.record.life, old.life);
    assert!(new.record.epoch > old.epoch);
    let late = sessions.beat(&old.session_id, old.epoch, Beat { is_active: Some(true), ..Beat::default() }).await;
    assert!(matches!(late, Err(StoreError::Fenced(_))), "{late:?}");
    let lost = Presence::Reconnecting { until: 9 };
    assert!(
        sessions.set_presence(&old.session_id, old.epoch, lost).await?.is_none(),
        "a late disconnect changes nothing"
    );
    assert!(sessions.end(&old.session_id, Some(old.epoch), 3).await?.is_none(), "nor does a late end");
    assert!(sessions.get(&old.session_id).await?.is_some_and(|record| record.presence.is_online()));
    Ok(())
}

pub async fn an_id_of_another_user_is_answered_with_a_fresh_one(stores: &Stores) -> Result<(), StoreError> {
    let first = stores.sessions.claim(claim("taken", "ana", 1)).await?.record;
    let second = stores.sessions.claim(claim("taken", "bob", 2)).await?.record;
    assert_ne!(first.session_id, second.session_id);
    assert_eq!(stores.sessions.get(&first.session_id).await?.map(|record| record.epoch), Some(first.epoch));
    Ok(())
}

pub async fn an_ended_session_continues_its_log_in_a_new_life(stores: &Stores) -> Result<(), StoreError> {
    let first = stores.sessions.claim(claim("again", "ana", 1)).await?.record;
    assert!(stores.sessions.end(&first.session_id, None, 2).await?.is_some());
    assert!(stores.sessions.get(&first.session_id).await?.is_none());
    assert!(stores.sessions.recall(&first.session_id).await?.is_some_and(|record| record.is_ended()));
    let second = stores.sessions.claim(claim("again", "ana", 3)).await?;
    assert_eq!(second.life, Life::Revived);
    assert!(second.record.epoch > first.epoch);
    assert_ne!(second.record.life, first.life);
    Ok(())
}

pub async fn versions_of_the_side_state_only_grow(stores: &Stores) -> Result<(), StoreError> {
    let record = stores.sessions.claim(claim("meta", "ana", 1)).await?.record;
    let on = MetaEvent::PlanModeToggled(PlanModeToggled { enabled: true });
    let todo = MetaEvent::TodoUpdated(TodoUpdated { todo_list: Vec::new() });
    let versions = stores.sessions.fold(&record.session_id, record.epoch, &[on.clone(), on.clone(), todo]).await?;
    assert_eq!(versions, [(0, record.meta.version + 1)], "what changes nothing has no version");
    let again = stores.sessions.claim(claim("meta", "ana", 2)).await?.record;
    assert!(again.meta.plan_mode_enabled && again.meta.version == record.meta.version + 1, "a takeover keeps it");
    stores.sessions.end(&record.session_id, None, 3).await?;
    let revived = stores.sessions.claim(claim("meta", "ana", 4)).await?.record;
    assert!(!revived.meta.plan_mode_enabled && revived.meta.version > again.meta.version);
    Ok(())
}

pub async fn a_cut_link_stays_cut(stores: &Stores) -> Result<(), StoreError> {
    let sessions = &stores.sessions;
    let parent = sessions.claim(claim("parent", "ana", 1)).await?.record.session_id.clone();
    let child_claim = |now| Claim { parent: Maybe::Value(parent.clone()), ..claim("child", "ana", now) };
    let child = sessions.claim(child_claim(2)).await?;
    assert_eq!((child.parent.as_ref(), child.newly_linked.as_ref()), (Some(&parent), Some(&parent)));
    let again = sessions.claim(child_claim(3)).await?;
    assert_eq!((again.parent.as_ref(), again.newly_linked), (Some(&parent), None), "the parent is told once");
    let link = Link { parent: parent.clone(), since: 2, state: LinkState::Delinked { at: 4 } };
    sessions.set_link(&child.record.session_id, Some(link)).await?;
    let cut = sessions.claim(child_claim(5)).await?;
    assert!(cut.was_delinked && cut.parent.is_none());

    // A child that was away when its parent let go.
    let away = sessions.claim(Claim { parent: Maybe::Value(parent.clone()), ..claim("away", "ana", 6) }).await?.record;
    sessions.end(&away.session_id, None, 7).await?;
    sessions.delink_before(&parent, 8).await?;
    let back = sessions.claim(Claim { parent: Maybe::Value(parent.clone()), ..claim("away", "ana", 9) }).await?;
    assert!(back.was_delinked, "its return does not tie it again");

    let foreign =
        sessions.claim(Claim { parent: Maybe::Value(parent.clone()), ..claim("stranger", "bob", 10) }).await?;
    assert!(foreign.parent.is_none() && foreign.record.link.is_none());
    Ok(())
}

pub async fn a_runner_link_waits_for_its_session(stores: &Stores) -> Result<(), StoreError> {
    let (session, runner) = (SessionId::from("spawned"), RunnerId::from("r1"));
    assert!(stores.sessions.link_runner(&session, &runner, Some("box")).await?.is_none());
    let record = stores.sessions.claim(claim("spawned", "ana", 1)).await?.record;
    assert_eq!((record.runner_id.as_ref(), record.runner_name.as_deref()), (Some(&runner), Some("box")));
    assert_eq!(stores.sessions.of_runner(&runner).await?.len(), 1);
    Ok(())
}

pub async fn a_terminal_is_started_once(stores: &Stores) -> Result<(), StoreError> {
    let id = TerminalId::from("t1");
    let record = TerminalRecord {
        terminal_id: id.clone(),
        runner_id: RunnerId::from("r1"),
        user_id: UserId::from("ana"),
        cwd: None,
        shell: None,
        cols: 0,
        rows: 0,
        created_at: 1,
        spawned: false,
        ready: false,
        exit_code: None,
        ended_at: None,
    };
    assert!(stores.terminals.create(record).await?);
    let claims = [stores.terminals.claim_spawn(&id, 80, 24).await?, stores.terminals.claim_spawn(&id, 90, 30).await?];
    assert_eq!(claims.iter().flatten().count(), 1);
    assert!(stores.terminals.end(&id, 0, 2).await? && !stores.terminals.end(&id, 1, 3).await?, "it ends once");
    Ok(())
}

pub async fn nobody_watching_is_not_unknown(stores: &Stores) -> Result<(), StoreError> {
    let session = SessionId::from("watched");
    assert_eq!(stores.presence.of(&session).await?, Some(Audience::default()));
    let two = Audience { viewers: 2, visible: 1, unsaid: 0 };
    stores.presence.set(&session, two).await?;
    assert_eq!(stores.presence.of(&session).await?, Some(two));
    Ok(())
}
