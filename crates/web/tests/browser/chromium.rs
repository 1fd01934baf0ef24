use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

/// Nothing that a test waits for takes longer, even on a machine with much else to do.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// A Chromium without a window. It is spoken to over a pipe in the words of the DevTools protocol, so it opens no port,
/// and it ends when the pipe does.
pub(crate) struct Chromium {
    process: Child,
    requests: ChildStdin,
    messages: Receiver<Value>,
    /// Events that came while an answer was awaited.
    events: Vec<Value>,
    last_id: u64,
    session: String,
    _profile: TempDir,
}

impl Chromium {
    /// Starts one with a page of the width and height.
    pub(crate) fn start(width: u32, height: u32) -> Self {
        let profile = tempfile::Builder::new().prefix("longshore-chromium-").tempdir().expect("there is room");
        // Descriptors 3 and 4 are those of the pipe.
        let mut process = Command::new("sh")
            .args(["-c", "exec \"$0\" \"$@\" 3<&0 4>&1 </dev/null >/dev/null 2>&1", "chromium", "--headless=new"])
            .args(["--remote-debugging-pipe", "--no-sandbox", "--disable-gpu", "--no-first-run", "--hide-scrollbars"])
            .args(["--disable-dev-shm-usage", "--disable-extensions", "--disable-background-networking"])
            .args(["--disable-component-update", "--disable-sync", "--force-color-profile=srgb", "--mute-audio"])
            .arg(format!("--window-size={width},{height}"))
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .env("HOME", profile.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("chromium starts: apt-get install chromium");
        let requests = process.stdin.take().expect("the pipe is open");
        let answers = process.stdout.take().expect("the pipe is open");
        let (sender, messages) = channel();
        // Ends with the browser, which closes the pipe.
        std::thread::spawn(move || {
            for message in BufReader::new(answers).split(0).map_while(Result::ok) {
                let message = serde_json::from_slice(&message).expect("the browser speaks JSON");
                if sender.send(message).is_err() {
                    return;
                }
            }
        });
        let mut browser = Self {
            process,
            requests,
            messages,
            events: Vec::new(),
            last_id: 0,
            session: String::new(),
            _profile: profile,
        };
        browser.attach();
        browser.resize(width, height);
        browser
    }

    fn attach(&mut self) {
        let created = self.call("Target.createTarget", &json!({"url": "about:blank"}));
        let attached = self.call("Target.attachToTarget", &json!({"targetId": created["targetId"], "flatten": true}));
        self.session = attached["sessionId"].as_str().expect("a page has a session").to_owned();
        for domain in ["Page", "Runtime", "Log", "DOM", "Accessibility"] {
            self.call(&format!("{domain}.enable"), &json!({}));
        }
    }

    pub(crate) fn resize(&mut self, width: u32, height: u32) {
        let metrics = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600});
        self.call("Emulation.setDeviceMetricsOverride", &metrics);
    }

    /// Calls a method and returns its answer.
    pub(crate) fn call(&mut self, method: &str, params: &Value) -> Value {
        self.try_call(method, params).unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    fn try_call(&mut self, method: &str, params: &Value) -> Result<Value, String> {
        self.last_id += 1;
        let id = self.last_id;
        let mut request = json!({"id": id, "method": method, "params": params});
        if !self.session.is_empty() {
            request["sessionId"] = json!(self.session);
        }
        self.requests.write_all(format!("{request}\0").as_bytes()).expect("the browser reads");
        let deadline = Instant::now() + WAIT_MAX;
        loop {
            let message = self.next_message(deadline, method);
            if message["id"] != json!(id) {
                self.events.push(message);
            } else if message["error"].is_null() {
                return Ok(message["result"].clone());
            } else {
                return Err(message["error"].to_string());
            }
        }
    }

    fn next_message(&self, deadline: Instant, what: &str) -> Value {
        match self.messages.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(message) => message,
            Err(RecvTimeoutError::Timeout) => panic!("{what} did not happen within {WAIT_MAX:?}"),
            Err(RecvTimeoutError::Disconnected) => panic!("the browser has ended before {what}"),
        }
    }

    /// Waits for an event that comes from now on or came since the last call that cleared them.
    fn await_event(&mut self, name: &str) {
        let deadline = Instant::now() + WAIT_MAX;
        while !self.events.iter().any(|event| event["method"] == name) {
            let message = self.next_message(deadline, name);
            self.events.push(message);
        }
    }

    /// What a step leads to, once the page that it loads is there.
    pub(crate) fn load(&mut self, step: impl FnOnce(&mut Self)) {
        self.events.retain(|event| event["method"] != "Page.loadEventFired");
        step(self);
        self.await_event("Page.loadEventFired");
    }

    /// Goes to a page.
    pub(crate) fn go(&mut self, url: &str) {
        self.load(|browser| {
            let answer = browser.call("Page.navigate", &json!({"url": url}));
            assert_eq!(answer["errorText"], Value::Null, "{url}");
        });
    }

    /// The value of an expression in the page.
    pub(crate) fn value(&mut self, expression: &str) -> Value {
        let params = json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        let answer = self.call("Runtime.evaluate", &params);
        assert_eq!(answer["exceptionDetails"], Value::Null, "{expression}");
        answer["result"]["value"].clone()
    }

    /// The same as text.
    pub(crate) fn text(&mut self, expression: &str) -> String {
        self.value(expression).as_str().unwrap_or_else(|| panic!("{expression} is no text")).to_owned()
    }

    /// What is written in an element, as it is seen.
    pub(crate) fn inner(&mut self, selector: &str) -> String {
        self.text(&format!("document.querySelector({selector:?})?.innerText ?? 'there is no such element'"))
    }

    /// Waits until an expression is true in the page, however often the page is loaded meanwhile.
    pub(crate) fn until(&mut self, expression: &str) {
        let waiting = format!(
            "new Promise((done) => {{ const look = () => {{ let is = false; try {{ is = {expression}; }} catch {{}} \
             if (is) done(true); else setTimeout(look, 20); }}; look(); }})"
        );
        let deadline = Instant::now() + WAIT_MAX;
        loop {
            let params = json!({"expression": waiting, "returnByValue": true, "awaitPromise": true});
            match self.try_call("Runtime.evaluate", &params) {
                Ok(answer) if answer["result"]["value"] == json!(true) => return,
                // A page that is left gives no answer.
                Ok(_) | Err(_) => assert!(Instant::now() < deadline, "{expression} did not become true"),
            }
        }
    }

    /// Clicks the middle of an element, as a hand does.
    pub(crate) fn click(&mut self, selector: &str) {
        let place = self.value(&format!(
            "(() => {{ const element = document.querySelector({selector:?}); element.scrollIntoView({{block: 'center'}}); \
             const box = element.getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2]; }})()"
        ));
        for kind in ["mousePressed", "mouseReleased"] {
            let event = json!({"type": kind, "x": place[0], "y": place[1], "button": "left", "clickCount": 1});
            self.call("Input.dispatchMouseEvent", &event);
        }
    }

    /// Clicks a link or button and waits for the page that it leads to.
    pub(crate) fn follow(&mut self, selector: &str) {
        self.load(|browser| browser.click(selector));
    }

    /// Presses a key that writes a letter.
    pub(crate) fn press(&mut self, letter: &str) {
        self.call("Input.dispatchKeyEvent", &json!({"type": "keyDown", "text": letter, "key": letter}));
        self.call("Input.dispatchKeyEvent", &json!({"type": "keyUp", "key": letter}));
    }

    /// Presses a key that writes nothing, or a line break.
    pub(crate) fn press_named(&mut self, key: &str) {
        let (code, text) = if key == "Enter" { (13, Some("\r")) } else { (27, None) };
        let mut event = json!({"type": "rawKeyDown", "key": key, "code": key, "windowsVirtualKeyCode": code});
        if let Some(text) = text {
            event["type"] = json!("keyDown");
            event["text"] = json!(text);
        }
        self.call("Input.dispatchKeyEvent", &event);
        self.call("Input.dispatchKeyEvent", &json!({"type": "keyUp", "key": key}));
    }

    /// Writes into the field that has the focus.
    pub(crate) fn write(&mut self, text: &str) {
        self.call("Input.insertText", &json!({"text": text}));
    }

    /// Everything that the browser has complained of: exceptions, failed requests, breaches of the security policy.
    pub(crate) fn complaints(&mut self) -> Vec<String> {
        // A call makes sure that earlier events have come.
        self.value("1");
        let is_complaint = |event: &&Value| match event["method"].as_str() {
            Some("Runtime.exceptionThrown") => true,
            Some("Log.entryAdded") => {
                ["error", "warning"].contains(&event["params"]["entry"]["level"].as_str().unwrap_or(""))
            }
            Some("Runtime.consoleAPICalled") => event["params"]["type"] == "error",
            _ => false,
        };
        self.events.iter().filter(is_complaint).map(|event| event["params"].to_string()).collect()
    }

    /// Keeps a picture of the page for people, if `LONGSHORE_SCREENSHOTS` names a folder.
    pub(crate) fn picture(&mut self, name: &str) {
        let Some(folder) = std::env::var_os("LONGSHORE_SCREENSHOTS") else { return };
        let shot = self.call("Page.captureScreenshot", &json!({"format": "png", "captureBeyondViewport": true}));
        let data = shot["data"].as_str().expect("a picture is base64");
        let path = std::path::Path::new(&folder).join(format!("{name}.png"));
        let mut decoder = Command::new("base64")
            .arg("-d")
            .stdin(Stdio::piped())
            .stdout(std::fs::File::create(&path).unwrap())
            .spawn()
            .unwrap();
        decoder.stdin.take().unwrap().write_all(data.as_bytes()).unwrap();
        assert!(decoder.wait().unwrap().success(), "{}", path.display());
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        // The shell has become the browser, so this is its own process.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
