//! The page around everything. It loads nothing from anywhere and runs no script.

const STYLE: &str = include_str!("page.css");

/// The whole page.
pub(super) fn page(overview: &str, sections: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>PocketSync simulation report</title>\n\
         <style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>PocketSync simulation report</h1>\n\
         <p class=\"faint\">All times are simulated. Every run can be seen again with its seed.</p>\n\
         {overview}{sections}</main>\n</body>\n</html>\n"
    )
}

/// A drawing with its caption, which is markup.
pub(super) fn figure(svg: &str, caption: &str) -> String {
    format!("<figure>\n{svg}\n<figcaption>{caption}</figcaption>\n</figure>\n")
}

/// Text as HTML.
pub(super) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}
