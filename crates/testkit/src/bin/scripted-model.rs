//! The scripted model as a program, for tests that are not written in Rust. Prints its address and runs until it is killed.
//! `POST /_script {"replies": […]}` adds replies, `POST /_gate/<name>` opens a gate, `GET /_requests` tells what arrived.

#![allow(clippy::print_stdout)]

use pizzapi_testkit::model::ScriptedModel;

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let port = std::env::args().nth(1).and_then(|port| port.parse().ok()).unwrap_or(0);
    let model = ScriptedModel::listen(port).await?;
    println!("{}", model.url());
    std::future::pending().await
}
