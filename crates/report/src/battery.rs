//! Replies of each stage to common first messages, in shares and word by word.

use std::fmt::Write as _;

use fireclay_eval::battery::{BatteryTable, SideBySide, StageReplies, TopicRow, percent, side_by_side};

use super::format::escape;
use super::run::Run;
use super::samples::shorten;

/// Prompts shown of each topic; the files hold the rest.
const MOST_PROMPTS: usize = 3;
/// Characters shown of a reply.
const MOST_CHARACTERS: usize = 600;

/// The section on the battery; nothing where no stage left replies.
pub fn html(run: &Run) -> String {
    let Some(table) = BatteryTable::new(&run.battery) else { return String::new() };
    let mut html = String::from(
        "<section id=\"battery\" aria-labelledby=\"title-battery\">\n<h2 id=\"title-battery\">What people type \
         first</h2>\n\
         <p class=\"facts\">Right replies in percent, of the checkpoint that each stage left: the most probable \
         reply, and one drawn as in a \
         chat.</p>\n",
    );
    html += &shares(&table);
    html += "<h3>Replies side by side</h3>\n";
    html += &replies(&run.battery);
    html + "</section>\n"
}

fn shares(table: &BatteryTable) -> String {
    let mut html = String::from("<div class=\"scroll\"><table class=\"numbers battery\"><thead><tr><td></td>");
    for stage in &table.stages {
        let _ = write!(html, "<th scope=\"colgroup\" colspan=\"2\">{}</th>", escape(stage));
    }
    html += "</tr><tr><th scope=\"col\">Topic</th>";
    html += &"<th scope=\"col\">greedy</th><th scope=\"col\">sampled</th>".repeat(table.stages.len());
    html += "</tr></thead><tbody>\n";
    for TopicRow { name, cells } in &table.rows {
        let _ = write!(html, "<tr><th scope=\"row\">{}</th>", escape(name));
        for cell in cells {
            let greedy = cell.map_or_else(|| "–".into(), |cell| percent(cell.greedy));
            let sampled = cell.and_then(|cell| cell.sampled).map(percent).unwrap_or_default();
            let _ = write!(html, "<td>{greedy}</td><td>{sampled}</td>");
        }
        html += "</tr>\n";
    }
    html + "</tbody></table></div>\n"
}

fn replies(stages: &[StageReplies]) -> String {
    let mut html =
        String::from("<div class=\"scroll\"><table class=\"replies\"><thead><tr><th scope=\"col\">Prompt</th>");
    for StageReplies { stage, .. } in stages {
        let _ = write!(html, "<th scope=\"col\">{}</th>", escape(stage));
    }
    html += "</tr></thead>\n";
    let mut topic = None;
    for shown in side_by_side(stages, MOST_PROMPTS) {
        if topic != Some(shown.topic) {
            html += if topic.is_some() { "</tbody>\n<tbody>\n" } else { "<tbody>\n" };
            let name = escape(shown.topic.unwrap_or("no topic"));
            let columns = stages.len() + 1;
            let _ = writeln!(html, "<tr><th class=\"topic\" scope=\"rowgroup\" colspan=\"{columns}\">{name}</th></tr>");
            topic = Some(shown.topic);
        }
        html += &row(&shown);
    }
    html +=
        "</tbody></table></div>\n<p class=\"note\">Every reply, also those drawn: battery.jsonl of each stage.</p>\n";
    html
}

fn row(shown: &SideBySide) -> String {
    let turns = shown.messages.iter().map(|message| {
        let who = if shown.messages.len() > 1 { format!("{}: ", message.role) } else { String::new() };
        format!("<p dir=\"auto\">{}</p>", escape(&shorten(&format!("{who}{}", message.content), MOST_CHARACTERS).0))
    });
    let mut html = format!("<tr><td class=\"prompt\">{}</td>", turns.collect::<String>());
    html.extend(shown.replies.iter().map(|reply| cell(*reply)));
    html + "</tr>\n"
}

/// A reply, marked if it is wrong.
fn cell(reply: Option<(&str, bool)>) -> String {
    let Some((text, right)) = reply else { return "<td class=\"note\">not asked</td>".into() };
    let (class, mark) = if right { ("right", "✓ right") } else { ("wrong", "✗ wrong") };
    let text = match text.trim() {
        "" => "<span class=\"note\">(nothing)</span>".into(),
        text => escape(&shorten(text, MOST_CHARACTERS).0),
    };
    format!("<td class=\"{class}\"><p dir=\"auto\">{text}</p><span class=\"mark\">{mark}</span></td>")
}
