//! Converts a model's Markdown to safe HTML.
//!
//! Three defences, each sufficient alone: HTML in the Markdown becomes text, images become links, and the result goes
//! through an allow-list of elements, attributes and schemes. The page's content-security policy is a fourth.

use std::sync::LazyLock;

use ammonia::Builder;
use pulldown_cmark::{CowStr, Event, Options, Parser, Tag, TagEnd, html};

/// Largest size in bytes of text that is rendered; more is shown as plain text.
const LONGEST: usize = 200_000;
/// Deepest nesting of quotes and lists that is rendered.
const DEEPEST: usize = 40;

static CLEANER: LazyLock<Builder<'static>> = LazyLock::new(|| {
    let mut builder = Builder::empty();
    builder
        .tags(
            [
                "a",
                "blockquote",
                "br",
                "code",
                "del",
                "em",
                "h1",
                "h2",
                "h3",
                "h4",
                "h5",
                "h6",
                "hr",
                "li",
                "ol",
                "p",
                "pre",
                "strong",
                "table",
                "tbody",
                "td",
                "th",
                "thead",
                "tr",
                "ul",
            ]
            .into(),
        )
        .add_tag_attributes("a", ["href"])
        .add_tag_attributes("ol", ["start"])
        .add_tag_attributes("code", ["class"])
        .url_schemes(["http", "https", "mailto"].into())
        .url_relative(ammonia::UrlRelative::Deny)
        .link_rel(Some("noopener noreferrer nofollow"))
        .set_tag_attribute_value("a", "target", "_blank")
        .attribute_filter(|element, attribute, value| match (element, attribute) {
            ("code", "class") => language(value).map(Into::into),
            _ => Some(value.into()),
        });
    builder
});

/// The class of a code block's language, if it is one.
fn language(class: &str) -> Option<&str> {
    let name = class.strip_prefix("language-")?;
    let is_plain = |character: char| character.is_ascii_alphanumeric() || "+-#._".contains(character);
    (!name.is_empty() && name.len() <= 30 && name.chars().all(is_plain)).then_some(class)
}

/// HTML of Markdown, without scripts, styles, pictures, forms, or links other than to `http`, `https` and `mailto`.
/// Time and output grow in proportion to the text.
pub fn render(text: &str) -> String {
    if text.len() > LONGEST {
        return as_it_is(text);
    }
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH;
    let mut deepest = 0;
    let mut depth: usize = 0;
    let events = Parser::new_ext(text, options).map(harmless).inspect(|event| match event {
        Event::Start(_) => {
            depth += 1;
            deepest = deepest.max(depth);
        }
        Event::End(_) => depth = depth.saturating_sub(1),
        _ => {}
    });
    let events: Vec<Event<'_>> = events.collect();
    if deepest > DEEPEST {
        return as_it_is(text);
    }
    let mut made = String::with_capacity(text.len() * 3 / 2);
    html::push_html(&mut made, events.into_iter());
    CLEANER.clean(&made).to_string()
}

/// The event without raw HTML and pictures.
fn harmless(event: Event<'_>) -> Event<'_> {
    match event {
        Event::Html(text) | Event::InlineHtml(text) => Event::Text(text),
        Event::Start(Tag::Image { link_type, dest_url, title, id }) => {
            Event::Start(Tag::Link { link_type, dest_url, title, id })
        }
        Event::End(TagEnd::Image) => Event::End(TagEnd::Link),
        Event::Start(Tag::HtmlBlock) => Event::Start(Tag::Paragraph),
        Event::End(TagEnd::HtmlBlock) => Event::End(TagEnd::Paragraph),
        // A model's line breaks are kept.
        Event::SoftBreak => Event::HardBreak,
        Event::Start(Tag::CodeBlock(pulldown_cmark::CodeBlockKind::Fenced(info))) => {
            let name = info.split_whitespace().next().unwrap_or_default().to_owned();
            Event::Start(Tag::CodeBlock(pulldown_cmark::CodeBlockKind::Fenced(CowStr::from(name))))
        }
        other => other,
    }
}

/// The text in one block, as it was written.
fn as_it_is(text: &str) -> String {
    let mut html = String::with_capacity(text.len() + text.len() / 16 + 32);
    html.push_str("<pre><code>");
    for character in text.chars() {
        match character {
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '&' => html.push_str("&amp;"),
            '"' => html.push_str("&quot;"),
            other => html.push(other),
        }
    }
    html.push_str("</code></pre>");
    html
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    fn check(markdown: &str, html: &str) {
        assert_eq!(render(markdown).trim_end(), html, "of {markdown:?}");
    }

    #[test]
    fn what_models_write_is_rendered() {
        check("**Yes**, *it* `is`.", "<p><strong>Yes</strong>, <em>it</em> <code>is</code>.</p>");
        check("one\ntwo", "<p>one<br>\ntwo</p>");
        check("3. a\n4. b", "<ol start=\"3\">\n<li>a</li>\n<li>b</li>\n</ol>");
        check(
            "```rust ignore\nfn a<T>() {}\n```",
            "<pre><code class=\"language-rust\">fn a&lt;T&gt;() {}\n</code></pre>",
        );
        check("~~x~~ 你好 🙂", "<p><del>x</del> 你好 🙂</p>");
        let link =
            "<p><a href=\"https://a.b/?c=d&amp;e\" target=\"_blank\" rel=\"noopener noreferrer nofollow\">t</a></p>";
        check("[t](https://a.b/?c=d&e)", link);
        assert!(render("| a | b |\n|---|---|\n| 1 | 2 |").contains("<td>2</td>"));
    }

    #[test]
    fn html_is_text_and_pictures_are_links() {
        check("<script>alert(1)</script>", "<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>");
        check("a <img src=x onerror=alert(1)> b", "<p>a &lt;img src=x onerror=alert(1)&gt; b</p>");
        let link = "<p><a href=\"https://evil.example/p.png\" target=\"_blank\" rel=\"noopener noreferrer \
                    nofollow\">x</a></p>";
        check("![x](https://evil.example/p.png)", link);
    }

    /// Whether the HTML has nothing but the elements and attributes that are allowed.
    fn is_harmless(html: &str) -> bool {
        let allowed = Builder::empty()
            .tags(CLEANER.clone_tags())
            .add_tag_attributes("a", ["href", "target", "rel"])
            .add_tag_attributes("ol", ["start"])
            .add_tag_attributes("code", ["class"])
            .link_rel(None)
            .url_schemes(["http", "https", "mailto"].into())
            .clean(html)
            .to_string();
        allowed == html
    }

    #[test]
    fn hostile_text_is_harmless() {
        for text in [
            "[x](javascript:alert(1))",
            "[x](JaVaScRiPt:alert(1))",
            "[x](java&#10;script:alert(1))",
            "[x](data:text/html;base64,PHNjcmlwdD4=)",
            "[x](vbscript:x)",
            "[x](//evil.example)",
            "[x](/ui/api/conversations)",
            "<javascript:alert(1)>",
            "[x]: javascript:alert(1)\n\n[x]",
            "<svg onload=alert(1)>",
            "<div>\n<script>alert(1)</script>\n</div>",
            "<style>*{display:none}</style>",
            "```x\" onmouseover=\"alert(1)\na\n```",
            "<a href=\"https://a.b\" onclick=\"alert(1)\">x</a>",
            "&lt;script&gt;alert(1)&lt;/script&gt;",
            "<!-- --!> <img src=x> -->",
            "<![CDATA[ x ]]> <?php x ?>",
            "\u{202e}txet\u{202c} \u{0} \u{feff}",
            "```\nnever closed",
            "[[[[[[[[[[](((((((((",
            "| a |\n|---|\n| <td onclick=x> |",
        ] {
            let html = render(text);
            assert!(is_harmless(&html), "{text:?} → {html}");
            for bad in ["<script", "<img", "<svg", "<style", "href=\"javascript", "href=\"data", "href=\"/"] {
                assert!(!html.to_lowercase().contains(bad), "{text:?} → {html}");
            }
        }
    }

    #[test]
    fn long_and_deep_text_takes_little_time() {
        let cases = [
            "a".repeat(1 << 20),
            "<".repeat(1 << 20),
            "> ".repeat(90_000),
            "* ".repeat(90_000),
            "[".repeat(190_000),
            "![".repeat(90_000),
            "*_".repeat(90_000),
            "`".repeat(190_000),
            "<a ".repeat(60_000),
            "| a ".repeat(45_000) + "\n" + &"|---".repeat(100),
            "a\n".repeat(90_000),
        ];
        for text in &cases {
            let begun = Instant::now();
            let html = render(text);
            let took = begun.elapsed();
            assert!(took < Duration::from_secs(3), "{took:?} for {:?}…", &text[..20]);
            assert!(html.len() < 12 * text.len() + 100, "{} bytes for {:?}…", html.len(), &text[..20]);
        }
    }

    #[test]
    fn text_too_long_for_markdown_is_shown_whole() {
        let text = format!("<b>{}", "x".repeat(LONGEST));
        assert_eq!(render(&text), format!("<pre><code>&lt;b&gt;{}</code></pre>", "x".repeat(LONGEST)));
    }
}
