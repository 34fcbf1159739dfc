//! Chromium without a window, driven by its DevTools protocol over two pipes: requests and replies are JSON, each ended by
//! a zero octet.

use std::process::Stdio;
use std::time::Duration;

use restante_tests::patience::{START, within};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::sleep;

/// Between two looks at a page.
const PAUSE: Duration = Duration::from_millis(50);

/// A browser with one page. It ends when it is dropped.
pub(super) struct Chromium {
    _child: Child,
    _profile: TempDir,
    requests: ChildStdin,
    replies: BufReader<ChildStdout>,
    last_id: u64,
    /// The page; empty: the browser as a whole.
    session: String,
    /// What was told without being asked.
    events: Vec<Value>,
}

impl Chromium {
    /// Starts it, and opens an empty page.
    pub(super) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// The same with further options.
    pub(super) async fn start_with(options: &[&str]) -> Self {
        let profile = tempfile::tempdir().expect("a temporary folder");
        // It reads from 3 and writes to 4.
        let script = "exec chromium \"$@\" 3<&0 4>&1 0</dev/null 1>/dev/null 2>&1";
        let mut child = Command::new("sh")
            .args(["-c", script, "chromium"])
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--hide-scrollbars",
            ])
            .args([
                "--no-first-run",
                "--disable-extensions",
                "--disable-background-networking",
                "--remote-debugging-pipe",
            ])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .args(options)
            .arg("about:blank")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("chromium");
        let mut browser = Self {
            requests: child.stdin.take().expect("a pipe"),
            replies: BufReader::new(child.stdout.take().expect("a pipe")),
            _child: child,
            _profile: profile,
            last_id: 0,
            session: String::new(),
            events: Vec::new(),
        };
        let blank = json!({"url": "about:blank"});
        let target = browser.call("Target.createTarget", blank).await;
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        let attached = browser.call("Target.attachToTarget", attach).await;
        browser.session = attached["sessionId"]
            .as_str()
            .expect("a session")
            .to_owned();
        for domain in ["Page", "Runtime", "Log", "Network"] {
            browser.call(&format!("{domain}.enable"), json!({})).await;
        }
        browser
    }

    /// The result of a method.
    ///
    /// # Panics
    /// When it fails.
    pub(super) async fn call(&mut self, method: &str, params: Value) -> Value {
        self.last_id += 1;
        let id = self.last_id;
        let mut request = json!({"id": id, "method": method, "params": params});
        if !self.session.is_empty() {
            request["sessionId"] = json!(self.session);
        }
        let request = format!("{request}\0");
        let written = self.requests.write_all(request.as_bytes()).await;
        written.expect("a browser that runs");
        loop {
            let told = self.told().await;
            if told["id"] == id {
                assert!(told["error"].is_null(), "{method}: {told}");
                return told["result"].clone();
            }
            self.events.push(told);
        }
    }

    async fn told(&mut self) -> Value {
        let mut octets = Vec::new();
        let read = self.replies.read_until(0, &mut octets);
        let read = within(START, "a reply of the browser", read).await;
        assert!(read.expect("a pipe") > 0, "the browser has ended");
        octets.pop();
        serde_json::from_slice(&octets).expect("JSON")
    }

    /// What was told so far under this name.
    pub(super) fn told_of(&self, method: &str) -> Vec<&Value> {
        let events = self.events.iter();
        events
            .filter(|event| event["method"] == method)
            .map(|event| &event["params"])
            .collect()
    }

    /// What the browser complains of: scripts that fail, what its policies stop, files that are not there.
    pub(super) fn complaints(&self) -> Vec<&Value> {
        let entries = self.told_of("Log.entryAdded").into_iter();
        let bad = entries
            .filter(|told| told["entry"]["level"] != "info" && told["entry"]["level"] != "verbose");
        bad.chain(self.told_of("Runtime.exceptionThrown")).collect()
    }

    /// Forgets what was told.
    pub(super) fn forget(&mut self) {
        self.events.clear();
    }

    /// Visits an address, and waits until the page is there.
    pub(super) async fn visit(&mut self, url: &str) {
        let went = self.call("Page.navigate", json!({"url": url})).await;
        assert!(went["errorText"].is_null(), "{url}: {went}");
        self.until("document.readyState === 'complete' && location.href !== 'about:blank'")
            .await;
    }

    /// The value of an expression in the page.
    ///
    /// # Panics
    /// When it throws.
    pub(super) async fn value(&mut self, expression: &str) -> Value {
        let params = json!({"expression": expression, "returnByValue": true, "awaitPromise": true, "allowUnsafeEvalBlockedByCSP": false});
        let result = self.call("Runtime.evaluate", params).await;
        assert!(
            result["exceptionDetails"].is_null(),
            "{expression}: {result}"
        );
        result["result"]["value"].clone()
    }

    /// A text in the page.
    pub(super) async fn text(&mut self, expression: &str) -> String {
        let value = self.value(expression).await;
        value
            .as_str()
            .unwrap_or_else(|| panic!("{expression}: {value}"))
            .to_owned()
    }

    /// Waits until an expression is true; a page may be on its way meanwhile.
    pub(super) async fn until(&mut self, expression: &str) {
        let mut last = Value::Null;
        for _ in 0..400 {
            let params = json!({"expression": expression, "returnByValue": true});
            last = self.call("Runtime.evaluate", params).await;
            if last["result"]["value"] == true {
                return;
            }
            sleep(PAUSE).await;
        }
        let page = self
            .value("location.href + '\\n' + document.body.innerText")
            .await;
        panic!("{expression} is not true: {last}\n{page}");
    }

    /// Presses a key and lets it go.
    pub(super) async fn press(&mut self, key: &str) {
        let (number, text) = match key {
            "Tab" => (9, ""),
            "Enter" => (13, "\r"),
            other => panic!("the key {other} is not known here"),
        };
        let mut params =
            json!({"type": "keyDown", "key": key, "code": key, "windowsVirtualKeyCode": number});
        if !text.is_empty() {
            params["text"] = json!(text);
        }
        self.call("Input.dispatchKeyEvent", params.clone()).await;
        params["type"] = json!("keyUp");
        self.call("Input.dispatchKeyEvent", params).await;
    }

    /// Types a text.
    pub(super) async fn write(&mut self, text: &str) {
        self.call("Input.insertText", json!({"text": text})).await;
    }

    /// A window of this size, in light or dark.
    pub(super) async fn look(&mut self, width: u32, height: u32, scheme: &str) {
        let size = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600});
        self.call("Emulation.setDeviceMetricsOverride", size).await;
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.call("Emulation.setEmulatedMedia", features).await;
    }

    /// A picture of the page from its top, as high as the window or what is in it, as base64 of a PNG.
    pub(super) async fn picture(&mut self) -> String {
        let bottom = "[innerWidth, Math.min(innerHeight, Math.ceil(document.querySelector('main').getBoundingClientRect().bottom))]";
        let size = self.value(bottom).await;
        let clip = json!({"x": 0, "y": 0, "width": size[0], "height": size[1], "scale": 1});
        let params = json!({"format": "png", "clip": clip});
        let taken = self.call("Page.captureScreenshot", params).await;
        taken["data"].as_str().expect("a picture").to_owned()
    }
}
