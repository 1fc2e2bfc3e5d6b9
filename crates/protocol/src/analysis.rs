//! Where tokens and money went: in one session, and altogether. Opaque to the relay.

use crate::events::RawJson;
use crate::json::wire;

wire! {
    pub struct SessionAnalysis {
        session_id: String,
        active_model: AnalysisModel | null,
        models_used: Vec<ModelShare>,
        blocks: Vec<AnalysisBlock>,
        compactions: Vec<CompactionRecord>,
        summary: AnalysisSummary,
    }

    pub struct AnalysisModel {
        provider: String,
        id: String,
        context_window?: u64,
    }

    pub struct ModelShare {
        provider: String,
        id: String,
        context_window?: u64,
        turns: u64,
        total_cost: f64,
        cache_hit_rate: f64 | null,
    }

    /// One part of the context and what it takes.
    pub struct AnalysisBlock {
        turn_index: u64,
        entry_id: String,
        role: String,
        tokens: u64,
        raw_token_delta: i64,
        usage?: RawJson,
        model?: AnalysisModel,
        title?: String,
        sub_blocks?: Vec<RawJson>,
    }

    pub struct CompactionRecord {
        entry_id: String,
        tokens_before_compaction: u64,
        estimated_summary_tokens: u64,
        estimated_tokens_after: u64 | null,
        estimated_tokens_freed: i64 | null,
        first_kept_id: String,
        timestamp: RawJson,
    }

    pub struct AnalysisSummary {
        total_tokens: u64,
        total_cost: f64,
        cache_hit_rate: f64 | null,
        estimated_cache_savings: f64 | null,
        compaction_count: u64,
        tokens_freed_by_compaction: i64 | null,
        peak_context_usage: f64 | null,
        context_utilization: f64 | null,
    }

    /// Use over a span of days, over all sessions of a machine.
    pub struct UsageReport {
        generated_at: RawJson,
        date_range: DateRange,
        total_date_range: DateRange,
        summary: UsageSummary,
        daily: Vec<UsageDay>,
        by_model: Vec<UsageByModel>,
        by_project: Vec<UsageByProject>,
        recent_sessions: Vec<UsageSession>,
    }

    pub struct DateRange {
        from: String,
        to: String,
    }

    #[derive(Default)]
    pub struct UsageSummary {
        total_sessions: u64,
        total_cost: f64,
        total_input_tokens: u64,
        total_output_tokens: u64,
        total_cache_read_tokens: u64,
        total_cache_write_tokens: u64,
        avg_session_cost: f64,
        avg_session_tokens: f64,
        avg_session_duration_ms: f64 | null,
        sessions_with_cost: u64,
    }

    #[derive(Default)]
    pub struct UsageDay {
        date: String,
        sessions: u64,
        cost: f64,
        cost_input: f64,
        cost_output: f64,
        cost_cache_read: f64,
        cost_cache_write: f64,
        input_tokens: u64,
        output_tokens: u64,
        cache_read_tokens: u64,
        cache_write_tokens: u64,
    }

    #[derive(Default)]
    pub struct UsageByModel {
        provider: String,
        model: String,
        sessions: u64,
        cost: f64,
        input_tokens: u64,
        output_tokens: u64,
    }

    #[derive(Default)]
    pub struct UsageByProject {
        project: String,
        project_short: String,
        sessions: u64,
        cost: f64,
        input_tokens: u64,
        output_tokens: u64,
    }

    #[derive(Default)]
    pub struct UsageSession {
        id: String,
        project: String,
        project_short: String,
        session_name: String | null,
        started_at: String,
        ended_at: String | null,
        message_count: u64,
        total_cost: f64 | null,
        primary_model: String,
    }
}
