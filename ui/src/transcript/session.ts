/**
 * One session as this browser knows it: gate, transcript, facts and rows, with listeners per item. No React and no socket:
 * frames come in through methods, questions to the server go out through `onAsk`.
 */

import { addChunk, chunkedState, openAssembly, received, CHUNK_STALL_MS, type Assembly } from "./chunks";
import { foldFacts, NO_FACTS, type Facts } from "./facts";
import { Deliveries, type Delivery } from "./deliveries";
import { NOT_ASKED, type Hydration } from "./hydration";
import { Ingress } from "./ingress";
import { flag, list, number, object, text, type JsonObject } from "./json";
import { KNOWN_EVENTS, WAITS_FOR_CHUNKS } from "./kinds";
import { parseMessages, type Message } from "./message";
import { changedFrom, emptyTranscript, noChanges, type Changes, type Item, type ItemId, type Transcript } from "./model";
import { currentItem, lastFailure, lastText } from "./queries";
import { applySnapshot, prepend, reduce, setActive } from "./reduce";
import { NO_ROWS, project, type Projection, type Row, type RowOptions } from "./rows";
import { admit, behind, belongs, connected, hydrate, openGate, parseEnvelope, parseHydrated, type Admission, type Gate } from "./seq";
import { putTail, takeTail, type StoredTail } from "./tail";

/** Longest wait for the end of an answer before its beginning is shown. */
const HOLD_SCREEN_MS = 3_000;
/** Work per flush; what is left waits for the next frame. */
const FLUSH_BUDGET_MS = 6;

export interface SessionModelOptions {
  readonly now: () => number;
  /** Call `flush` soon: at the next frame, or later when nobody looks. */
  readonly schedule: (flush: () => void) => void;
  /** Measures how long a flush takes. */
  readonly clock: () => number;
  readonly dayOf: (at: number) => number;
}

export type Ask = { readonly kind: "missing"; readonly lastSeq: number } | { readonly kind: "whole" };

export interface Have {
  readonly epoch: number | null;
  readonly seq: number;
}

type Listener = () => void;

export class SessionModel {
  readonly sessionId: string;
  onAsk: (ask: Ask) => void = () => undefined;
  /** A user message with this request id is part of the conversation now. */
  onConfirmed: (requestId: string) => void = () => undefined;

  readonly #options: SessionModelOptions;
  readonly #transcript: Transcript = emptyTranscript();
  readonly #ingress = new Ingress();
  #gate: Gate | null = null;
  #facts: Facts = NO_FACTS;
  #assembly: Assembly | null = null;
  #duringAssembly: JsonObject[] = [];
  #hydration: Hydration = NOT_ASKED;
  #projection: Projection = NO_ROWS;
  #open = new Map<string, boolean>();
  #view: Pick<RowOptions, "foldTools" | "hideThinking" | "outbox" | "hold"> = { foldTools: true, hideThinking: false, outbox: [], hold: false };
  readonly #deliveries = new Deliveries();
  #scheduled = false;
  #pageLoading = false;
  #attachedAt = 0;
  #unknownEvents = 0;
  #toolsEnded = 0;

  readonly #itemListeners = new Map<ItemId, Set<Listener>>();
  readonly #rowListeners = new Set<Listener>();
  readonly #factListeners = new Set<Listener>();
  readonly #hydrationListeners = new Set<Listener>();

  constructor(sessionId: string, options: SessionModelOptions) {
    this.sessionId = sessionId;
    this.#options = options;
  }

  // ---- reading

  readonly rows = (): readonly Row[] => this.#projection.rows;
  readonly facts = (): Facts => this.#facts;
  readonly hydration = (): Hydration => this.#hydration;
  item(id: ItemId): Item | undefined {
    return this.#transcript.items.get(id);
  }
  delivery(requestId: string): Delivery | undefined {
    return this.#deliveries.of(requestId);
  }
  isOpen(rowId: string): boolean | undefined {
    return this.#open.get(rowId);
  }
  get hasMore(): boolean {
    return this.#transcript.hasMore;
  }
  get oldestIndex(): number | null {
    return this.#transcript.oldestIndex;
  }
  get unknownEvents(): number {
    return this.#unknownEvents;
  }
  /** Counts tools that have ended: each may have changed files. */
  get toolsEnded(): number {
    return this.#toolsEnded;
  }
  get empty(): boolean {
    return this.#transcript.entries.length === 0;
  }
  get position(): Have | null {
    const gate = this.#gate;
    return gate && gate.seq !== null ? { epoch: gate.epoch, seq: gate.seq } : null;
  }
  /** What the agent is writing or running. */
  current(): Item | null {
    return currentItem(this.#transcript);
  }
  /** Text of the last assistant passage, for announcements and copying. */
  lastText(): string | null {
    return lastText(this.#transcript);
  }
  /** Why the last run failed, when it did. */
  lastFailure(): string | null {
    return lastFailure(this.#transcript);
  }
  /** Everything held, in order, for export and find. */
  allItems(): Item[] {
    return this.#transcript.entries.flatMap((entry) => entry.items.flatMap((id) => this.#transcript.items.get(id) ?? []));
  }

  // ---- listening

  readonly subscribeRows = (listener: Listener): (() => void) => add(this.#rowListeners, listener);
  readonly subscribeFacts = (listener: Listener): (() => void) => add(this.#factListeners, listener);
  readonly subscribeHydration = (listener: Listener): (() => void) => add(this.#hydrationListeners, listener);
  subscribeItem(id: ItemId, listener: Listener): () => void {
    const listeners = this.#itemListeners.get(id) ?? new Set();
    this.#itemListeners.set(id, listeners);
    listeners.add(listener);
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0) this.#itemListeners.delete(id);
    };
  }

  // ---- attaching

  /** A new switch to this session begins; answers to older ones no longer count. */
  attach(generation: number, withCursor: boolean): Have | null {
    const have = withCursor && !this.empty ? this.position : null;
    this.#gate = openGate(this.sessionId, generation, have);
    this.#assembly = null;
    this.#duringAssembly = [];
    this.#attachedAt = this.#options.now();
    this.#setHydration({ ...this.#hydration, phase: "attaching", reason: null, complete: false, received: 0, total: null, stale: !this.empty });
    return have;
  }

  /** The socket is gone: what is shown stays, and counts as not confirmed. */
  detach(): void {
    this.#flush(true);
    if (this.#hydration.phase === "live" || this.#hydration.phase === "attaching") this.#setHydration({ ...this.#hydration, phase: "attaching", stale: true });
  }

  fail(reason: string, retryable: boolean): void {
    this.#setHydration({ ...this.#hydration, phase: "failed", reason, retryable });
  }

  ended(reason: string): void {
    this.#flush(true);
    this.#withChanges((changes) => setActive(this.#transcript, false, changes));
    this.#setHydration({ ...this.#hydration, phase: "replay", reason, stale: false });
  }

  // ---- frames

  connected(value: unknown): void {
    const raw = object(value);
    if (!raw || !this.#gate) return;
    const stamp = { sessionId: text(raw["sessionId"]), generation: number(raw["generation"]), lastSeq: number(raw["lastSeq"]) };
    if (!belongs(this.#gate, stamp)) return;
    this.#gate = connected(this.#gate, stamp);
    const active = flag(raw["isActive"]);
    if (active !== null) this.#withChanges((changes) => this.#setActive(active, changes));
  }

  /** One `event` frame. Answers whether it was for this session and switch. */
  frame(value: unknown): boolean {
    const envelope = parseEnvelope(value);
    if (!envelope || !this.#gate || !belongs(this.#gate, envelope)) return false;
    this.#admit(admit(this.#gate, envelope, this.#options.now()));
    return true;
  }

  hydrated(value: unknown): boolean {
    const parsed = parseHydrated(value);
    if (!parsed || !this.#gate || !belongs(this.#gate, parsed)) return false;
    this.#admit(hydrate(this.#gate, parsed, this.#options.now()));
    this.#flush(true);
    this.#setHydration({ ...this.#hydration, phase: this.#hydration.phase === "replay" ? "replay" : "live", reason: null, complete: parsed.complete, received: 0, total: null, stale: false });
    return true;
  }

  /** A large conversation is on its way. */
  progress(received: number, total: number): void {
    if (this.#hydration.phase === "attaching") this.#setHydration({ ...this.#hydration, received, total });
  }

  behind(head: number): void {
    if (this.#gate) this.#admit(behind(this.#gate, head, this.#options.now()));
  }

  page(value: unknown): boolean {
    const raw = object(value);
    if (!raw || raw["sessionId"] !== this.sessionId) return false;
    this.#pageLoading = false;
    const oldest = number(raw["oldestIndex"]);
    if (oldest === null || (this.#transcript.oldestIndex !== null && oldest >= this.#transcript.oldestIndex)) {
      this.#transcript.hasMore = flag(raw["hasMore"]) ?? false;
      this.#withChanges((changes) => changedFrom(changes, 0));
      return true;
    }
    this.#withChanges((changes) => prepend(this.#transcript, list(raw["messages"]), oldest, flag(raw["hasMore"]) ?? oldest > 0, changes));
    return true;
  }

  /** May an older page be asked for now? Marks it as asked. */
  takePageTurn(): { before: number } | null {
    const { oldestIndex, hasMore } = this.#transcript;
    if (this.#pageLoading || !hasMore || oldestIndex === null || this.#hydration.phase === "attaching") return null;
    this.#pageLoading = true;
    return { before: oldestIndex };
  }
  pageFailed(): void {
    this.#pageLoading = false;
  }

  commandStatus(value: unknown): void {
    const id = this.#deliveries.apply(value);
    if (id !== null) this.#withChanges((changes) => changes.items.add(`user:${id}`));
  }

  // ---- what a person does to the view

  setOpen(rowId: string, open: boolean): void {
    this.#open.set(rowId, open);
    this.#withChanges((changes) => {
      changes.items.add(rowId);
      if (rowId.startsWith("group:")) changedFrom(changes, 0);
    });
  }

  setView(view: Partial<Pick<RowOptions, "foldTools" | "hideThinking" | "outbox" | "hold">>): void {
    const next = { ...this.#view, ...view };
    if (next.foldTools === this.#view.foldTools && next.hideThinking === this.#view.hideThinking && next.outbox === this.#view.outbox && next.hold === this.#view.hold) return;
    // What waits to be sent stands at the end; everything else may change any row.
    const onlyTail = next.foldTools === this.#view.foldTools && next.hideThinking === this.#view.hideThinking && next.hold === this.#view.hold;
    this.#view = next;
    this.#withChanges((changes) => changedFrom(changes, onlyTail ? this.#transcript.entries.length : 0));
  }

  // ---- between visits

  storedTail(): StoredTail | null {
    return takeTail(this.#transcript);
  }

  /** Show what was kept until the server answers. Does nothing once there is content. */
  restoreTail(tail: StoredTail): void {
    if (!this.empty || tail.version !== 1) return;
    putTail(this.#transcript, tail);
    this.#withChanges((changes) => changedFrom(changes, 0));
    this.#setHydration({ ...this.#hydration, stale: true });
  }

  /** Once a second: pieces of a large snapshot that stopped coming are asked for again. */
  tick(): void {
    if (!this.#assembly || this.#options.now() - this.#assembly.progressAt < CHUNK_STALL_MS) return;
    this.#assembly = null;
    this.#ingestAll(this.#duringAssembly.splice(0));
    this.onAsk({ kind: "whole" });
  }

  /** Apply everything that waits, now. For tests and for leaving the page. */
  settle(): void {
    this.#flush(true);
  }

  // ---- inside

  #admit(admission: Admission): void {
    this.#gate = admission.gate;
    for (const frame of admission.apply) this.#ingest(frame.event);
    if (admission.ask === "missing" && admission.gate.seq !== null) this.onAsk({ kind: "missing", lastSeq: admission.gate.seq });
    else if (admission.ask === "whole") this.onAsk({ kind: "whole" });
  }

  #ingestAll(events: readonly JsonObject[]): void {
    for (const event of events) this.#ingest(event);
  }

  #ingest(event: JsonObject): void {
    const header = chunkedState(event);
    if (header) {
      this.#flush(true);
      this.#assembly = openAssembly(header, this.#options.now());
      this.#fact({ ...event, state: header });
      return;
    }
    if (event["type"] === "session_messages_chunk") {
      this.#chunk(event);
      return;
    }
    if (this.#assembly && WAITS_FOR_CHUNKS.has(String(event["type"]))) {
      this.#duringAssembly.push(event);
      return;
    }
    this.#ingress.push(event);
    this.#plan();
  }

  #chunk(event: JsonObject): void {
    if (!this.#assembly) return;
    const step = addChunk(this.#assembly, event, this.#options.now());
    if (step.kind === "ignored") return;
    if (step.kind === "waiting") {
      this.#assembly = step.assembly;
      this.#setHydration({ ...this.#hydration, received: received(step.assembly), total: step.assembly.totalMessages });
      if (step.missing) this.onAsk({ kind: "whole" });
      return;
    }
    this.#assembly = null;
    const state: JsonObject = { ...step.state, chunked: false, messages: step.messages };
    this.#ingress.push({ type: "session_active", state });
    this.#ingestAll(this.#duringAssembly.splice(0));
    this.#setHydration({ ...this.#hydration, received: 0, total: null });
    this.#plan();
  }

  #plan(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#options.schedule(() => {
      this.#scheduled = false;
      // Until the answer is complete, what is on screen stays: half an answer would look like a rewind.
      if (this.#hydration.phase === "attaching" && !this.empty && this.#options.now() - this.#attachedAt < HOLD_SCREEN_MS) {
        if (this.#ingress.length > 0) this.#plan();
        return;
      }
      this.#flush(false);
    });
  }

  #flush(everything: boolean): void {
    if (this.#ingress.length === 0) return;
    const started = this.#options.clock();
    this.#withChanges((changes) => {
      for (;;) {
        const event = this.#ingress.take();
        if (!event) break;
        this.#apply(event, changes);
        if (!everything && this.#options.clock() - started > FLUSH_BUDGET_MS) break;
      }
    });
    if (this.#ingress.length > 0) this.#plan();
  }

  #apply(event: JsonObject, changes: Changes): void {
    const now = this.#options.now();
    const factsChanged = this.#fact(event);
    switch (event["type"]) {
      case "session_active": {
        const state = object(event["state"]);
        if (!state) return;
        const oldest = number(state["oldestLoadedIndex"]);
        applySnapshot(this.#transcript, { messages: state["messages"], truncated: flag(state["hasMore"]) ?? (oldest ?? 0) > 0, oldestIndex: oldest ?? 0, announce: this.#hydration.phase === "live" }, now, changes);
        this.#confirm();
        return;
      }
      case "heartbeat": {
        const active = flag(event["active"]);
        if (active !== null) setActive(this.#transcript, active, changes);
        return;
      }
      case "message_start":
      case "message_end":
        reduce(this.#transcript, this.#adopt(event), now, changes);
        this.#confirm();
        return;
      case "tool_execution_end":
        this.#toolsEnded += 1;
        reduce(this.#transcript, event, now, changes);
        return;
      default:
        if (!reduce(this.#transcript, event, now, changes) && !factsChanged && !KNOWN_EVENTS.has(String(event["type"]))) this.#unknownEvents += 1;
    }
  }

  /** Agents that do not name the request: a waiting message with the same words, oldest first, is the one that arrived. */
  #adopt(event: JsonObject): JsonObject {
    const message = object(event["message"]);
    if (message?.["role"] !== "user" || message["requestId"] || message["commandId"]) return event;
    const candidate = this.legacyMatch(parseMessages([message])[0]);
    return candidate ? { ...event, message: { ...message, requestId: candidate } } : event;
  }
  legacyMatch: (message: Message | undefined) => string | null = () => null;

  #confirm(): void {
    for (const requestId of this.#view.outbox) if (this.#transcript.keys.has(`user:${requestId}`)) this.onConfirmed(requestId);
  }

  #setActive(active: boolean, changes: Changes): void {
    setActive(this.#transcript, active, changes);
    if (this.#facts.active === active) return;
    this.#facts = { ...this.#facts, active };
    notify(this.#factListeners);
  }

  #fact(event: JsonObject): boolean {
    const next = foldFacts(this.#facts, event, this.#options.now());
    if (next === this.#facts) return false;
    this.#facts = next;
    notify(this.#factListeners);
    return true;
  }

  #withChanges(change: (changes: Changes) => void): void {
    const changes = noChanges();
    change(changes);
    if (changes.structure) {
      const options: RowOptions = { ...this.#view, open: this.#open, working: this.#transcript.active, showTop: true, dayOf: this.#options.dayOf };
      const before = this.#projection.rows;
      this.#projection = project(this.#transcript, options, this.#projection, changes.from);
      if (this.#projection.rows !== before) notify(this.#rowListeners);
    }
    for (const id of changes.items) {
      const listeners = this.#itemListeners.get(id);
      if (listeners) notify(listeners);
    }
  }

  #setHydration(next: Hydration): void {
    this.#hydration = next;
    notify(this.#hydrationListeners);
  }
}

function add(listeners: Set<Listener>, listener: Listener): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function notify(listeners: ReadonlySet<Listener>): void {
  for (const listener of listeners) listener();
}
