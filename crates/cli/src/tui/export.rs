//! A conversation as Markdown, for people.

use pizzapi_protocol::{ContentBlock, Message};

pub fn markdown(messages: &[Message], name: Option<&str>) -> String {
    let mut out = format!("# {}\n", name.unwrap_or("PizzaPi session"));
    for message in messages {
        match message {
            Message::User(message) => section(&mut out, "User", &message.content.text()),
            Message::Assistant(message) => {
                for block in &message.content {
                    match block {
                        ContentBlock::Text(block) if !block.text.trim().is_empty() => {
                            section(&mut out, "Assistant", &block.text);
                        }
                        ContentBlock::ToolCall(block) => {
                            section(&mut out, &format!("Tool: {}", block.name), &fenced(block.arguments.get(), "json"));
                        }
                        _ => {}
                    }
                }
                if let Some(error) = &message.error_message {
                    section(&mut out, "Error", error);
                }
            }
            Message::ToolResult(result) => {
                let texts: Vec<&str> = result.content.iter().filter_map(ContentBlock::as_text).collect();
                let title = if result.is_error { "Result (failed)" } else { "Result" };
                section(&mut out, title, &fenced(&texts.join("\n"), ""));
            }
            Message::BashExecution(run) => {
                section(&mut out, "Shell", &fenced(&format!("$ {}\n{}", run.command, run.output), "console"));
            }
            Message::Custom(custom) if custom.display => section(&mut out, &custom.custom_type, &custom.content.text()),
            Message::CompactionSummary(summary) => section(&mut out, "Summary", &summary.summary),
            Message::BranchSummary(summary) => section(&mut out, "Summary of a branch", &summary.summary),
            Message::Custom(_) | Message::Other(_) => {}
        }
    }
    out
}

fn section(out: &mut String, title: &str, body: &str) {
    out.push_str(&format!("\n## {title}\n\n{}\n", body.trim_end()));
}

/// A fence longer than any inside.
fn fenced(content: &str, language: &str) -> String {
    let longest = content.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}{language}\n{}\n{fence}", content.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fences_inside_do_not_end_the_block() {
        assert_eq!(fenced("a ``` b", "x"), "````x\na ``` b\n````");
        assert_eq!(fenced("plain", ""), "```\nplain\n```");
    }
}
