use axum::http::StatusCode;

use crate::{request, routes, send};

#[tokio::test]
async fn methods_of_any_name_are_counted_together() {
    let (router, _server) = routes().await;
    for method in ["EVIL1", "EVIL2", "GET"] {
        let expect = if method == "GET" { StatusCode::OK } else { StatusCode::METHOD_NOT_ALLOWED };
        assert_eq!(send(&router, request(method, "/v1/models", None, None)).await.status, expect);
    }
    let text = send(&router, request("GET", "/metrics", None, None)).await.text;
    let counted = |method: &str| {
        let line = text.lines().find(|line| line.contains(&format!("method=\"{method}\"")));
        line.map(|line| line.rsplit(' ').next().unwrap().to_owned())
    };
    assert_eq!((counted("other").as_deref(), counted("GET").as_deref()), (Some("2"), Some("1")));
    assert!(!text.contains("EVIL"), "{text}");
}
