use pizzapi_agent::{NoModelOffer, OpError, Outcome, Prompt};
use pretty_assertions::assert_eq;

use crate::bench::{Bench, Session, spoken};

#[tokio::test]
async fn without_any_model_the_state_offers_ways_out_and_the_demo_works() {
    let bench = Bench::new().await;
    std::fs::remove_file(bench.home().join("models.json")).unwrap();
    let mut config = bench.config();
    config.model = None;
    let mut session = Session::start(config).await;
    let no_model = session.agent.snapshot().no_model.expect("nothing can be asked");
    assert!(matches!(no_model.offers.first(), Some(NoModelOffer::PasteKey { .. })));
    assert_eq!(no_model.offers.last(), Some(&NoModelOffer::Demo));
    assert!(matches!(session.agent.prompt(Prompt::text("hi")).await, Err(OpError::NoModel(_))));
    session.agent.use_demo().await.unwrap();
    assert!(session.agent.snapshot().demo);
    let (_, outcome) = session.run("please write a file").await;
    assert_eq!(outcome, Outcome::Completed);
    assert!(bench.cwd().join("pizzapi-demo.md").exists());
    assert!(spoken(&session.agent.messages()).last().unwrap().contains("[Demo – no AI]"));
    // It is a choice for this session, not a default for the next.
    let settings = std::fs::read_to_string(bench.home().join("settings.json")).unwrap();
    assert!(!settings.contains("demo"));
}

#[tokio::test]
async fn a_pasted_key_makes_a_model_usable_at_once() {
    let bench = Bench::new().await;
    std::fs::remove_file(bench.home().join("models.json")).unwrap();
    let mut config = bench.config();
    config.model = None;
    let session = Session::start(config).await;
    session.agent.save_api_key("anthropic", "sk-test").await.unwrap();
    let state = session.agent.snapshot();
    assert_eq!(state.model.map(|m| m.provider).as_deref(), Some("anthropic"));
    assert!(state.no_model.is_none());
}

#[tokio::test]
async fn a_model_server_on_this_machine_is_found_and_chosen() {
    let bench = Bench::new().await;
    std::fs::remove_file(bench.home().join("models.json")).unwrap();
    let mut config = bench.config();
    config.model = None;
    config.discover_models = true;
    config.env.insert("OLLAMA_HOST".into(), bench.model.url().replace("http://", ""));
    let session = Session::start(config).await;
    let state = session.agent.snapshot();
    assert_eq!(state.model.map(|m| m.key()).as_deref(), Some("ollama/scripted:latest"));
    assert!(session.agent.models().iter().any(|model| model.id == "scripted:latest"));
}
