//! The same types for browsers: what `export-types` writes. Pure text; the program does the writing.

use std::any::TypeId;
use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;

use ts_rs::{Config, TS, TypeVisitor};

use crate::events::EventRow;

/// Every file of `ui/src/protocol/generated`, by name.
pub fn files() -> BTreeMap<&'static str, String> {
    let cfg = config();
    let mut declarations = Declarations::new();
    let mut events = Events::default();
    events.namespace(&cfg, "Relay", &crate::relay::FromClient::rows(), &crate::relay::FromServer::rows());
    events.namespace(&cfg, "Viewer", &crate::viewer::FromClient::rows(), &crate::viewer::FromServer::rows());
    events.namespace(&cfg, "Hub", &crate::hub::FromClient::rows(), &crate::hub::FromServer::rows());
    events.namespace(&cfg, "Runner", &crate::runner::FromClient::rows(), &crate::runner::FromServer::rows());
    events.namespace(&cfg, "Runners", &crate::runners::FromClient::rows(), &crate::runners::FromServer::rows());
    events.namespace(&cfg, "Terminal", &crate::terminal::FromClient::rows(), &crate::terminal::FromServer::rows());
    for declare in &events.declare {
        declare(&mut declarations);
    }
    roots(&mut declarations);

    let names: Vec<&str> =
        declarations.by_name.keys().map(String::as_str).filter(|name| events.mentions(name)).collect();
    let imports = names.iter().fold(String::new(), |text, name| text + "  " + name + ",\n");
    BTreeMap::from([
        ("types.ts", format!("{HEADER}\n{}", declarations.text())),
        ("events.ts", format!("{HEADER}\nimport type {{\n{imports}}} from \"./types\";\n{}", events.text)),
        ("constants.ts", format!("{HEADER}\n{}", constants())),
        (
            "index.ts",
            format!(
                "{HEADER}\nexport * from \"./constants\";\nexport * from \"./events\";\nexport * from \"./types\";\n"
            ),
        ),
    ])
}

const HEADER: &str = "// Written by `just types` from crates/protocol. Do not edit.\n";

/// Types that no event names but browsers need.
fn roots(declarations: &mut Declarations) {
    macro_rules! add {
        ($($module:ident: $($name:ident)*;)*) => {$($(declarations.add::<crate::$module::$name>();)*)*};
    }
    add! {
        agent_event: AgentEvent DeliveryClass;
        analysis: AnalysisBlock AnalysisModel AnalysisSummary CompactionRecord DateRange ModelShare SessionAnalysis
            UsageByModel UsageByProject UsageDay UsageReport UsageSession UsageSummary;
        delivery: CommandBody;
        error: WireError;
        exec: Backgrounded CommandList CompactArgs CompactionResult Exec ExecCommand ExecResult ExportHtmlArgs
            ForkArgs ForkMessage ForkMessages ListResumeArgs McpAction McpArgs McpCounts McpLoadState McpServerRef
            McpServerState McpStatus McpStatusConfig McpToggleArgs McpToolState McpToolStatus ModelList
            PlanModeResult PluginTrustArgs QueueResult ResumeArgs ResumeResult ResumeSessions SandboxConfigArgs
            SessionNameResult SessionSummary SetModeArgs SetModelArgs SetNameArgs SetPlanModeArgs SetQueueArgs
            SetThinkingArgs TextResult ThinkingResult TrustResult UsageResult ViewerExecResult;
        handshake: FeedAuth RelayAuth RunnerAuth TerminalAuth ViewerAuth;
        message: ContentBlock Message StopReason;
        meta: ApprovalDecision;
        mode: ResolvedMode;
        model: ThinkingLevel;
        password: PasswordCheck PasswordReport;
        rest: ApiKeyRow AuthErrorBody AuthSession AuthUser BroadcastAnswer BroadcastRequest BrowseAnswer
            ChangePasswordAnswer ChangePasswordRequest Checks ClaimStatus CreateApiKeyRequest CreateTerminalAnswer
            CreateTerminalRequest CreatedApiKey DeleteApiKeyRequest EnableServiceAnswer EnableServiceRequest
            ErrorBody FireTriggerAnswer FireTriggerRequest FolderRequest Health HealthStatus HealthVersion
            HiddenModels HiddenModelsAnswer ListFilesRequest ListenerAnswer ListenerRequest LoginCancelRequest
            LoginStartRequest LoginSubmitRequest Me NamedContent OkBody PersistedSession PinAnswer PinnedSessions
            PublishedVersion PushAnswerRequest PushCapabilities PushEndpointRequest PushKeys PushSubscribeRequest
            PushSubscribed PushSubscription PushSubscriptions ReadFileRequest RecentFolders RegisterAnswer
            RegisterRequest ReloadAnswer RenameSessionRequest RevokeSessionRequest RunnerAgents RunnerList
            RunnerModels RunnerPlugins RunnerRef RunnerSkills RunnerTriggers SearchFilesRequest ServerCapabilities
            SessionAnswer SessionDetail SessionInputAnswer SessionInputRequest SessionList SetModelAnswer
            SetModelRequest SetThinkingAnswer SetThinkingRequest SettingsSectionRequest SetupClaim SetupClaimInfo
            SetupClaimPoll SetupClaimRequest SigilDefs SignInRequest SignOutAnswer SignUpRequest SignedIn SignedToken
            SignedUp SignupStatus SpawnRequest SpawnResponse SpawnStatus StatusAnswer SubagentModel SubscribeAnswer
            SubscribeRequest TerminalSummaries TerminalSummary TriggerDefs TriggerHistory TriggerListener
            TriggerListeners TriggerSubscriptions TunnelToken TunnelTokenRequest UnsubscribeAnswer
            UpdateApiKeyRequest UpdateUserRequest UploadedAttachment UploadedAttachments VapidKey
            VerifyPasswordRequest WakingBody WriteContentRequest;
        runner_reply: DirectoryEntry DirectoryListing FileContent FileEntry FileListing GitBlameLine GitBranch
            GitChange GitFailure GitFullStatus GitLogEntry GitRepoChanged GitStash GitStatus GitWorktree LoginDone
            LoginFailed LoginOption LoginPrompt LoginPromptStep LoginProvider LoginReply LoginStep LoginWaiting
            MemoryContent MemoryFile MemoryList MemorySaved ProcessEntry ProcessList ProcessTail ProviderList
            SandboxMode SandboxSaved SandboxStatus SandboxViolation ServiceFailure SettingsConfig SettingsSaved
            SettingsSection ShellEntry TunnelList;
        service: ServiceCatalogue;
        trigger: SessionCompletePayload TriggerHistoryEntry TriggerSubscription;
    }
}

fn constants() -> String {
    let mut text = String::new();
    let mut number = |name: &str, value: u64, docs: &[&str]| {
        text.push_str(&comment("", docs));
        let _ = writeln!(text, "export const {name} = {};\n", grouped(value));
    };
    number(
        "SOCKET_PROTOCOL_VERSION",
        crate::version::SOCKET_PROTOCOL_VERSION.into(),
        &["Version of the handshake. Raised only when old and new cannot talk at all."],
    );
    for limit in crate::limits::ALL {
        number(limit.name, limit.value, limit.docs);
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

/// `100_000` rather than `100000`.
fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push('_');
        }
        text.push(digit);
    }
    text
}

fn config() -> Config {
    // Every number on the wire is an exact JavaScript number.
    Config::new().with_large_int("number")
}

/// The declarations of a set of types and of everything they are made of, by name.
pub struct Declarations {
    cfg: Config,
    seen: HashSet<TypeId>,
    by_name: BTreeMap<String, String>,
}

impl Declarations {
    fn new() -> Self {
        Self { cfg: config(), seen: HashSet::new(), by_name: BTreeMap::new() }
    }

    pub fn add<T: TS + 'static + ?Sized>(&mut self) {
        TypeVisitor::visit::<T>(self);
    }

    fn text(&self) -> String {
        let declarations: Vec<&str> = self.by_name.values().map(String::as_str).collect();
        declarations.join("\n")
    }
}

impl TypeVisitor for Declarations {
    fn visit<T: TS + 'static + ?Sized>(&mut self) {
        if !self.seen.insert(TypeId::of::<T>()) {
            return;
        }
        if T::output_path().is_some() {
            let name = T::ident(&self.cfg);
            let docs = T::docs().unwrap_or_default();
            let text = format!("{}export {}\n", docs, pretty(&T::decl(&self.cfg)));
            if let Some(other) = self.by_name.insert(name.clone(), text.clone()) {
                assert_eq!(other, text, "two types are called {name}");
            }
        }
        T::visit_generics(self);
        T::visit_dependencies(self);
    }
}

/// Event interfaces in the form `Socket<ServerToClient, ClientToServer>` wants, and the names as values.
#[derive(Default)]
struct Events {
    text: String,
    declare: Vec<fn(&mut Declarations)>,
}

impl Events {
    fn namespace(&mut self, cfg: &Config, namespace: &str, from_client: &[EventRow], from_server: &[EventRow]) {
        self.direction(cfg, namespace, "ClientToServer", from_client);
        self.direction(cfg, namespace, "ServerToClient", from_server);
    }

    fn direction(&mut self, cfg: &Config, namespace: &str, direction: &str, rows: &[EventRow]) {
        let interface = format!("{namespace}{direction}Events");
        let _ = writeln!(self.text, "\nexport interface {interface} {{");
        for row in rows {
            self.declare.push(row.declare);
            self.text.push_str(&comment("  ", row.docs));
            let payload = (row.payload)(cfg);
            let ack = row.ack.map(|ack| format!(", ack: (answer: {}) => void", ack(cfg))).unwrap_or_default();
            let _ = writeln!(self.text, "  {}: (payload: {payload}{ack}) => void;", row.name);
        }
        self.text.push_str("}\n");

        let constant: String = format!("{namespace}{direction}")
            .chars()
            .enumerate()
            .flat_map(|(at, letter)| {
                let gap = (at > 0 && letter.is_ascii_uppercase()).then_some('_');
                gap.into_iter().chain([letter.to_ascii_uppercase()])
            })
            .collect();
        let _ = writeln!(self.text, "\nexport const {constant} = [");
        for row in rows {
            let _ = writeln!(self.text, "  \"{}\",", row.name);
        }
        let _ = writeln!(self.text, "] as const satisfies readonly (keyof {interface})[];");
    }

    /// Does an interface use this type by name?
    fn mentions(&self, name: &str) -> bool {
        self.text.match_indices(name).any(|(at, _)| {
            let word = |c: char| c.is_alphanumeric() || c == '_';
            let before = self.text[..at].chars().next_back();
            let after = self.text[at + name.len()..].chars().next();
            !before.is_some_and(word) && !after.is_some_and(word) && before != Some('"')
        })
    }
}

fn comment(indent: &str, docs: &[&str]) -> String {
    match docs {
        [] => String::new(),
        [line] => format!("{indent}/** {} */\n", line.trim()),
        lines => {
            let body: String =
                lines.iter().map(|line| format!("{indent} * {}", line.trim()).trim_end().to_owned() + "\n").collect();
            format!("{indent}/**\n{body}{indent} */\n")
        }
    }
}

/// Does the object whose inside `rest` begins with hold nothing but one string?
fn is_one_member(rest: &str) -> bool {
    let inside = rest.split('}').next().unwrap_or_default();
    !inside.contains(['{', '\n', ';']) && inside.matches(':').count() == 1 && inside.matches('"').count() == 4
}

/// One member per line; comments of one line on one line.
fn pretty(declaration: &str) -> String {
    let mut text = String::new();
    let mut depth = 0_usize;
    let mut rest = declaration;
    let newline = |text: &mut String, depth: usize| {
        text.truncate(text.trim_end().len());
        text.push('\n');
        text.push_str(&"  ".repeat(depth));
    };
    while let Some(first) = rest.chars().next() {
        if rest.starts_with("/**") {
            let end = rest.find("*/").map_or(rest.len(), |at| at + 2);
            let lines: Vec<&str> =
                rest[3..end - 2].lines().map(|line| line.trim().trim_start_matches('*').trim()).collect();
            let lines: Vec<&str> = lines.into_iter().skip_while(|line| line.is_empty()).collect();
            let filled = lines.iter().rposition(|line| !line.is_empty()).map_or(0, |at| at + 1);
            newline(&mut text, depth);
            let indent = "  ".repeat(depth);
            text.push_str(comment(&indent, &lines[..filled]).trim_start());
            text.push_str(&indent);
            rest = rest[end..].trim_start();
            continue;
        }
        if first == '"' {
            let end = rest[1..].find('"').map_or(rest.len(), |at| at + 2);
            text.push_str(&rest[..end]);
            rest = &rest[end..];
            continue;
        }
        rest = &rest[first.len_utf8()..];
        match first {
            '{' if rest.trim_start().starts_with('}') => {
                text.push_str("{}");
                rest = rest.trim_start()[1..].trim_start_matches(' ');
                if !rest.starts_with([';', ',', '>', '|', ')']) && !rest.is_empty() {
                    text.push(' ');
                }
            }
            // `{ "type": "word" }`, the head of a union's row.
            '{' if rest.trim_start().starts_with('"') && is_one_member(rest) => {
                let end = rest.find('}').map_or(rest.len(), |at| at + 1);
                text.push('{');
                text.push_str(rest[..end].trim_end_matches(['}', ' ', ',']));
                text.push_str(" }");
                rest = &rest[end..];
            }
            '|' if depth == 0 && declaration.contains('{') => {
                text.truncate(text.trim_end().len());
                text.push_str("\n  | ");
                rest = rest.trim_start();
            }
            '{' if rest.trim_start().starts_with('[') => {
                let end = rest.find('}').map_or(rest.len(), |at| at + 1);
                text.push('{');
                text.push_str(&rest[..end]);
                rest = &rest[end..];
            }
            '{' => {
                text.push('{');
                depth += 1;
                newline(&mut text, depth);
                rest = rest.trim_start();
            }
            '}' => {
                depth = depth.saturating_sub(1);
                newline(&mut text, depth);
                text.push('}');
            }
            ',' if depth > 0 => {
                text.push(';');
                newline(&mut text, depth);
                rest = rest.trim_start();
            }
            '\n' => {}
            other => text.push(other),
        }
    }
    text
}
