// Written by `just types` from crates/protocol. Do not edit.

export * from "./constants";
export * from "./events";
export * from "./types";
