/** A lab's configuration, altered for a test: a copy of configs/lab with single values put in other places. */
import { cpSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Document, parseDocument } from "yaml";
import { ROOT } from "./root.js";

export type RoleName = "ch" | "pol1" | "pol2" | "r1" | "r2" | "sip1" | "sip2";
export type Edit = readonly [path: readonly (string | number)[], value: unknown];
export type Edits = Partial<Record<RoleName, readonly Edit[]>>;

/** @returns the directory for `--configs`; the caller removes it */
export function copyConfigs(...all: readonly Edits[]): string {
  const directory = mkdtempSync(join(tmpdir(), "sluice-lab-configs-"));
  cpSync(join(ROOT, "configs/lab"), directory, { recursive: true });
  for (const edits of all) editConfigs(directory, edits);
  return directory;
}

export function editConfigs(directory: string, edits: Edits): void {
  for (const [role, list] of Object.entries(edits)) {
    const path = join(directory, `${role}.yaml`);
    const document: Document = parseDocument(readFileSync(path, "utf8"));
    for (const [at, value] of list ?? []) document.setIn(at, document.createNode(value));
    writeFileSync(path, document.toString());
  }
}

/**
 * Time-outs a test can wait for. Timer B is 64 times T1; timer C of SIP1 is longer, so that the 408 of a silent
 * callee comes from the proxy that is nearest to it.
 */
export const SHORT_TIMERS: Edits = {
  sip1: [[["sip", "timers"], { t1: "50 ms", t2: "400 ms", t4: "500 ms", c: "5500 ms" }]],
  sip2: [[["sip", "timers"], { t1: "50 ms", t2: "400 ms", t4: "500 ms", c: "3500 ms" }]],
};

/** How long a proxy waits for its policy server, and that for its router. */
export const SHORT_PATIENCE: Edits = {
  sip1: [[["pdp", "timeout"], "1 s"]],
  sip2: [[["pdp", "timeout"], "1 s"]],
  pol1: [[["routerTimeout"], "500 ms"]],
  pol2: [[["routerTimeout"], "500 ms"]],
};
