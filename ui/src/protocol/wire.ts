/**
 * The names under which the interface imports wire types. All of them are exported from the Rust crates; what is spelled
 * out here only combines or renames.
 */
import type { RunnerSkill } from "./generated";

export type * from "./generated/events";
export type * from "./generated/types";
export { SOCKET_PROTOCOL_VERSION } from "./generated/constants";

/** Skills and agents: a file with a name and a description. */
export type NamedFile = RunnerSkill;
