use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use fireclay_serve::ui::{asset_paths, page_router};
use http_body_util::BodyExt;
use tower::ServiceExt;

async fn get(path: &str, known: Option<&str>) -> (StatusCode, axum::http::HeaderMap, String) {
    let router: Router = page_router(true);
    let mut request = Request::builder().uri(path);
    if let Some(tag) = known {
        request = request.header(header::IF_NONE_MATCH, tag);
    }
    let response = router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    (parts.status, parts.headers, String::from_utf8(bytes.to_vec()).unwrap())
}

#[tokio::test]
async fn a_file_is_not_sent_again_unchanged() {
    for path in asset_paths() {
        let (status, headers, _) = get(path, None).await;
        assert_eq!(status, StatusCode::OK, "{path}");
        let tag = headers[header::ETAG].to_str().unwrap();
        for known in [tag, "*", &format!("W/{tag}"), &format!("\"other\", W/{tag}")] {
            assert_eq!(get(path, Some(known)).await.0, StatusCode::NOT_MODIFIED, "{path} {known}");
        }
        assert_eq!(get(path, Some("\"other\", W/\"\"")).await.0, StatusCode::OK, "{path}");
    }
    assert_eq!(get("/js/none.js", None).await.0, StatusCode::NOT_FOUND);
}

/// The policy would block them, and the browser complain.
#[tokio::test]
async fn the_page_has_nothing_inline_and_names_no_other_host() {
    let mut files = 0;
    for path in asset_paths() {
        let (_, _, content) = get(path, None).await;
        files += 1;
        let without_namespace = content.replace("http://www.w3.org/2000/svg", "");
        for inline in ["style=\"", "onclick=", "onload=", "<style", "javascript:", "https://", "http://", "eval("] {
            assert!(!without_namespace.contains(inline), "{path} has {inline}");
        }
        if path == "/" || path == "/watch" {
            assert_eq!(content.matches("<script").count(), content.matches("<script type=\"module\" src=").count());
        }
    }
    assert_eq!(files, 18);
}

#[tokio::test]
async fn every_file_that_a_file_names_is_there() {
    let known: Vec<&str> = asset_paths().collect();
    let quote = |text: &str, before: &str| -> Vec<String> {
        text.split(before).skip(1).filter_map(|rest| rest.split(['"', '\'']).next().map(str::to_owned)).collect()
    };
    for path in asset_paths() {
        let (_, _, content) = get(path, None).await;
        for imported in quote(&content, "from './") {
            assert!(known.contains(&format!("/js/{imported}").as_str()), "{path} imports {imported}");
        }
        for linked in quote(&content, "href=\"").into_iter().chain(quote(&content, "src=\"")) {
            // The style sheet of a report belongs to the code that watches a run.
            let is_file = (path == "/" || path == "/watch") && !linked.starts_with('#') && linked != "watch.css";
            assert!(
                !is_file || known.contains(&format!("/{}", linked.trim_start_matches("./")).as_str()),
                "{path} links {linked}"
            );
        }
    }
}

/// Both languages say everything, and nothing is asked for that neither says.
#[tokio::test]
async fn both_languages_have_the_same_words() {
    let (_, _, content) = get("/js/i18n.js", None).await;
    let (english, chinese) = content.split_once("  zh: {").unwrap();
    let keys = |text: &str| -> std::collections::BTreeSet<String> {
        let words = text.split('\'').step_by(2).flat_map(|between| between.split([',', '{', '\n']));
        let key = |word: &str| word.trim().strip_suffix(':').map(str::to_owned);
        words
            .filter_map(key)
            .filter(|key| key.chars().all(|c| c.is_alphanumeric() || c == '_') && key != "en")
            .collect()
    };
    let (_, english) = english.split_once("en: {").unwrap();
    let chinese = chinese.split_once("};").unwrap().0;
    assert_eq!(keys(english), keys(chinese));
    assert!(keys(english).len() > 70, "{}", keys(english).len());
    let (_, _, page) = get("/", None).await;
    for key in page.split("data-i18n").skip(1).filter_map(|rest| rest.split('"').nth(1)) {
        assert!(keys(english).contains(key), "the page asks for `{key}`");
    }
}
