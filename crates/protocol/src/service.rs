//! Services of a runner: what they announce, and how browsers and sessions talk to them.

use std::collections::BTreeMap;

use crate::events::RawJson;
use crate::ids::{Generation, RequestId, RunnerId, SessionId};
use crate::json::{JsonObject, wire, words};

wire! {
    /// One message to or from a service.
    pub struct ServiceEnvelope {
        service_id: String,
        /// The service's own word.
        #[serde(rename = "type")]
        kind: String,
        /// For services that drop repeated messages.
        id?: String,
        /// Chosen by whoever asks, copied into the reply.
        request_id?: RequestId,
        /// Stamped by the relay on the way to the runner; set by the runner to address one session.
        session_id?: SessionId,
        payload: RawJson = default,
    }

    /// A service's page inside the web UI, reached through a tunnel.
    pub struct ServicePanelInfo {
        service_id: String,
        port: u16,
        label: String,
        /// Name of a Lucide icon.
        icon: String = default,
        panel_params?: BTreeMap<String, String>,
        /// Modes it belongs to; absent or empty: all sessions.
        modes?: [String],
        placement?: PanelPlacement,
        default_open?: bool,
        launcher?: PanelLauncher,
    }

    pub struct PanelLauncher {
        surface: String,
        position: LauncherPosition,
    }

    /// Something a service can tell sessions about.
    pub struct ServiceTriggerDef {
        /// `service:event`.
        #[serde(rename = "type")]
        kind: String,
        label: String,
        description?: String,
        /// JSON Schema of the payload; its properties are what can be filtered by.
        schema?: RawJson,
        params?: [ServiceTriggerParamDef],
        modes?: [String],
    }

    /// What a service wants to know of a subscriber. Never used to filter.
    pub struct ServiceTriggerParamDef {
        name: String,
        label: String,
        #[serde(rename = "type")]
        kind: TriggerParamKind,
        description?: String,
        required?: bool,
        default?: RawJson,
        #[serde(rename = "enum")]
        choices?: Vec<RawJson>,
        /// Needs `enum`; the value is an array then.
        multiselect?: bool,
    }

    /// How a word with a special meaning is shown and looked up.
    pub struct ServiceSigilDef {
        #[serde(rename = "type")]
        kind: String,
        label: String,
        service_id?: String,
        description?: String,
        icon?: String,
        /// Path with `{id}`.
        resolve?: String,
        resolve_port?: u16,
        schema?: RawJson,
        aliases?: [String],
        variants?: [SigilVariant],
    }

    pub struct SigilVariant {
        name: String,
        description: String = default,
    }

    /// A kind of work with its own look, chosen by the folder of a session.
    pub struct ServiceModeDef {
        id: String,
        label: String,
        icon?: String,
        /// Absolute on the wire.
        workspace: String,
        service_id?: String,
        ui?: ServiceModeUi,
    }

    #[derive(Default)]
    pub struct ServiceModeUi {
        preset?: String,
        chrome?: ModeChrome,
        tool_rendering?: ToolRendering,
        vocabulary?: ModeVocabulary,
        accent?: String,
        composer_placeholder?: String,
        home?: ModeHome,
        artifacts?: ModeArtifacts,
        scheduled?: bool,
    }

    #[derive(Default)]
    pub struct ModeChrome {
        git?: bool,
        terminal?: bool,
        processes?: bool,
        diffs?: bool,
        files?: bool,
    }

    #[derive(Default)]
    pub struct ModeVocabulary {
        session?: String,
        sessions?: String,
        new_session?: String,
    }

    #[derive(Default)]
    pub struct ModeHome {
        greeting?: String,
        suggestions?: [ModeSuggestion],
        recent?: bool,
    }

    pub struct ModeSuggestion {
        label: String,
        icon?: String,
        prompt: String,
    }

    pub struct ModeArtifacts {
        enabled: bool,
        extensions?: [String],
    }

    /// Everything the services of a runner offer.
    #[derive(Default)]
    pub struct ServiceAnnounce {
        service_ids: [String],
        disabled_service_ids?: [String],
        panels?: [ServicePanelInfo],
        trigger_defs?: [ServiceTriggerDef],
        sigil_defs?: [ServiceSigilDef],
        session_modes?: [ServiceModeDef],
        /// Added by the relay on the way to viewers.
        runner_id?: RunnerId,
        #[serde(rename = "_runnerRef")]
        runner_ref?: bool,
        generation?: Generation,
    }

    /// What changed since the announcement before.
    #[derive(Default)]
    pub struct ServiceAnnounceDelta {
        added: ServiceAdditions = default,
        removed: ServiceRemovals = default,
        updated: ServiceUpdates = default,
        runner_id?: RunnerId,
        #[serde(rename = "_runnerRef")]
        runner_ref?: bool,
        generation?: Generation,
    }

    #[derive(Default)]
    pub struct ServiceAdditions {
        service_ids: [String],
        panels: [ServicePanelInfo],
        trigger_defs: [ServiceTriggerDef],
        sigil_defs: [ServiceSigilDef],
        session_modes?: [ServiceModeDef],
    }

    #[derive(Default)]
    pub struct ServiceRemovals {
        service_ids: [String],
        /// Service ids.
        panels: [String],
        /// Types.
        trigger_defs: [String],
        /// Types.
        sigil_defs: [String],
        /// Ids.
        session_modes?: [String],
    }

    #[derive(Default)]
    pub struct ServiceUpdates {
        panels: [ServicePanelInfo],
        trigger_defs: [ServiceTriggerDef],
        sigil_defs: [ServiceSigilDef],
        session_modes?: [ServiceModeDef],
    }

    /// The same over HTTP: lists are empty rather than absent.
    #[derive(Default)]
    pub struct ServiceCatalogue {
        service_ids: [String],
        disabled_service_ids: [String],
        panels: [ServicePanelInfo],
        trigger_defs: [ServiceTriggerDef],
        sigil_defs: [ServiceSigilDef],
        session_modes: [ServiceModeDef],
    }
}

words! {
    pub enum PanelPlacement {
        LeftTop = "left-top",
        LeftMiddle = "left-middle",
        LeftBottom = "left-bottom",
        CenterTop = "center-top",
        CenterBottom = "center-bottom",
        RightTop = "right-top",
        RightMiddle = "right-middle",
        RightBottom = "right-bottom",
    }

    pub enum LauncherPosition {
        BottomLeft = "bottom-left",
        BottomRight = "bottom-right",
    }

    pub enum TriggerParamKind {
        String = "string",
        Number = "number",
        Boolean = "boolean",
        Json = "json",
    }

    /// How much of a tool call is shown.
    pub enum ToolRendering {
        Detailed = "detailed",
        Activity = "activity",
    }
}

/// Parameters a subscriber gives to a service.
pub type TriggerParams = JsonObject;

impl ServiceAnnounce {
    /// What changed from `self` to `newer`; `None` when a delta cannot express it and a full announcement is due.
    pub fn delta_to(&self, newer: &ServiceAnnounce) -> Option<ServiceAnnounceDelta> {
        fn parts<T: Clone + PartialEq>(
            old: &Option<Vec<T>>,
            new: &Option<Vec<T>>,
            key: fn(&T) -> &str,
        ) -> (Vec<T>, Vec<String>, Vec<T>) {
            let (old, new) = (old.as_deref().unwrap_or_default(), new.as_deref().unwrap_or_default());
            let find = |list: &[T], wanted: &str| list.iter().find(|item| key(item) == wanted).cloned();
            let added = new.iter().filter(|item| find(old, key(item)).is_none()).cloned().collect();
            let removed = old.iter().map(key).filter(|id| find(new, id).is_none()).map(str::to_owned).collect();
            let updated = new
                .iter()
                .filter(|item| find(old, key(item)).is_some_and(|before| before != **item))
                .cloned()
                .collect();
            (added, removed, updated)
        }

        if self.disabled_service_ids != newer.disabled_service_ids {
            return None;
        }
        let ids = |from: &[String], without: &[String]| -> Vec<String> {
            from.iter().filter(|id| !without.contains(id)).cloned().collect()
        };
        let panels = parts(&self.panels, &newer.panels, |panel| &panel.service_id);
        let triggers = parts(&self.trigger_defs, &newer.trigger_defs, |def| &def.kind);
        let sigils = parts(&self.sigil_defs, &newer.sigil_defs, |def| &def.kind);
        let modes = parts(&self.session_modes, &newer.session_modes, |mode| &mode.id);
        let some = |list: Vec<ServiceModeDef>| Some(list).filter(|list| !list.is_empty());
        Some(ServiceAnnounceDelta {
            added: ServiceAdditions {
                service_ids: ids(&newer.service_ids, &self.service_ids),
                panels: panels.0,
                trigger_defs: triggers.0,
                sigil_defs: sigils.0,
                session_modes: some(modes.0),
            },
            removed: ServiceRemovals {
                service_ids: ids(&self.service_ids, &newer.service_ids),
                panels: panels.1,
                trigger_defs: triggers.1,
                sigil_defs: sigils.1,
                session_modes: Some(modes.1).filter(|list| !list.is_empty()),
            },
            updated: ServiceUpdates {
                panels: panels.2,
                trigger_defs: triggers.2,
                sigil_defs: sigils.2,
                session_modes: some(modes.2),
            },
            runner_id: newer.runner_id.clone(),
            runner_ref: newer.runner_ref,
            generation: newer.generation,
        })
    }
}
