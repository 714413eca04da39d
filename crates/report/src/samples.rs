//! `samples.jsonl`: samples of the model during training.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use fireclay_train::Sample;

use super::format::{escape, grouped};

/// Prompts shown of each stage; the file holds the rest.
const MOST_PROMPTS: usize = 8;
/// Characters shown of each text; the file holds the rest.
const MOST_CHARACTERS: usize = 1500;

/// The samples of each prompt in the order of their steps, prompts as they first occur.
pub type ByPrompt = Vec<(String, Vec<Sample>)>;

/// Reads the file; one that is absent, and lines that are no sample (a last line cut off), count as nothing.
pub fn read(path: &Path) -> ByPrompt {
    File::open(path).map(|file| parse(BufReader::new(file))).unwrap_or_default()
}

fn parse(lines: impl BufRead) -> ByPrompt {
    let mut prompts = ByPrompt::new();
    for line in lines.split(b'\n').map_while(Result::ok) {
        let Ok(sample) = serde_json::from_slice::<Sample>(&line) else {
            continue;
        };
        let index = prompts.iter().position(|(prompt, _)| *prompt == sample.prompt).unwrap_or_else(|| {
            prompts.push((sample.prompt.clone(), Vec::new()));
            prompts.len() - 1
        });
        let samples = &mut prompts[index].1;
        // As in the metrics, a resumed run writes steps again, and the later record counts.
        samples.retain(|earlier| earlier.step < sample.step);
        samples.push(sample);
    }
    prompts
}

/// The first, the middle and the last of a list, fewer where there are fewer.
fn first_middle_last<T>(list: &[T]) -> Vec<&T> {
    match list {
        [] => Vec::new(),
        [only] => vec![only],
        [first, last] => vec![first, last],
        _ => vec![&list[0], &list[list.len() / 2], &list[list.len() - 1]],
    }
}

/// For each prompt its first, middle and last text, side by side where there is room.
pub fn html(prompts: &ByPrompt) -> String {
    let mut html = String::new();
    for (prompt, samples) in prompts.iter().take(MOST_PROMPTS) {
        let title = match prompt.trim() {
            "" => "Without a prompt".to_owned(),
            text => format!("“{}”", escape(&shorten(text, 120).0)),
        };
        let _ = writeln!(html, "<article class=\"samples\">\n<h4 dir=\"auto\">{title}</h4>\n<div class=\"over-time\">");
        for sample in first_middle_last(samples) {
            html += &card(prompt, sample);
        }
        html += "</div>\n</article>\n";
    }
    let hidden = prompts.len().saturating_sub(MOST_PROMPTS);
    if hidden > 0 {
        let _ = writeln!(html, "<p class=\"note\">Prompts shown: {MOST_PROMPTS}; samples.jsonl has {hidden} more.</p>");
    }
    html
}

fn card(prompt: &str, sample: &Sample) -> String {
    let (given, _) = shorten(prompt, MOST_CHARACTERS);
    let (text, cut) = shorten(&sample.text, MOST_CHARACTERS);
    let more = if cut { "<span class=\"note\"> […] the whole text is in samples.jsonl</span>" } else { "" };
    format!(
        "<figure class=\"sample\"><figcaption>after step {}</figcaption>\
         <blockquote dir=\"auto\"><span class=\"prompt\">{}</span>{}{more}</blockquote></figure>\n",
        grouped(sample.step as f64),
        escape(&given),
        escape(&text),
    )
}

/// The first `most` characters, and whether there were more.
pub fn shorten(text: &str, most: usize) -> (String, bool) {
    match text.char_indices().nth(most) {
        Some((end, _)) => (format!("{}…", &text[..end]), true),
        None => (text.to_owned(), false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_grouped_by_prompt_and_broken_lines_skipped() {
        let prompts = parse(
            "{\"step\":1,\"prompt\":\"A\",\"text\":\"x\"}\n{\"step\":1,\"prompt\":\"B\",\"text\":\"y\"}\nnot json\n\
             {\"step\":9,\"prompt\":\"A\",\"text\":\"z\"}\n{\"step\":10,\"prom"
                .as_bytes(),
        );
        let shape: Vec<_> = prompts.iter().map(|(prompt, samples)| (prompt.as_str(), samples.len())).collect();
        assert_eq!(shape, [("A", 2), ("B", 1)]);
    }

    #[test]
    fn a_resumed_run_replaces_its_samples() {
        let prompts =
            parse("{\"step\":5,\"text\":\"a\"}\n{\"step\":9,\"text\":\"b\"}\n{\"step\":7,\"text\":\"c\"}\n".as_bytes());
        let texts: Vec<_> = prompts[0].1.iter().map(|sample| sample.text.as_str()).collect();
        assert_eq!(texts, ["a", "c"]);
    }

    #[test]
    fn first_middle_and_last_are_shown() {
        assert_eq!(first_middle_last(&[1, 2, 3, 4, 5]), [&1, &3, &5]);
        assert_eq!(first_middle_last(&[1, 2]), [&1, &2]);
        assert_eq!(first_middle_last::<u8>(&[]), Vec::<&u8>::new());
    }

    #[test]
    fn the_prompt_stands_before_the_text_and_markup_is_escaped() {
        let sample = Sample { step: 1200, prompt: "Once".into(), text: " <script>".into() };
        let html = html(&vec![("Once".into(), vec![sample])]);
        assert!(html.contains("<span class=\"prompt\">Once</span> &lt;script&gt;</blockquote>"), "{html}");
        assert!(html.contains("after step 1,200"));
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        assert_eq!(shorten("火土火土", 3), ("火土火…".to_owned(), true));
        assert_eq!(shorten("火土", 3), ("火土".to_owned(), false));
    }
}
