/**
 * Final counters. nft does not ask the kernel to echo what it deletes, but `nft monitor` prints every element that goes as it
 * was when it went: the kernel's own notification of the removing transaction, counters included.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import type { Clock } from "../../model/clock.js";
import type { Logger } from "../../model/log.js";
import { millis } from "../../model/units.js";
import type { EchoedElement } from "../netlink/nf-tables.js";
import { toolEnvironment } from "../tool.js";
import { parseElements } from "./listing.js";
import { setReferenced } from "./referenced.js";
import type { SetLayouts } from "./set-layout.js";

/** It must not outlive us, and would not know: it reads nothing. */
const COMMAND = ["setpriv", ["--pdeathsig", "TERM", "nft", "-p", "monitor", "destroy", "elements"]] as const;
const LISTENING_POLLS = 100;
const POLL = millis(20);
const EVENT_TIMEOUT = millis(1000);
const MAX_LINE = 64 * 1024;
/** NETLINK_NETFILTER, and the bit of NFNLGRP_NFTABLES. */
const PROTOCOL = "12";
const GROUP = 0x40;

const nameOf = (set: string, key: Buffer): string => `${set} ${key.toString("latin1")}`;

interface Expectation {
  readonly keys: Set<string>;
  readonly seen: EchoedElement[];
  readonly done: () => void;
}

export interface ExpectedRemoval {
  readonly set: string;
  readonly key: Buffer;
}

/** One expectation at a time: whoever deletes does so in turn. */
export class Removals {
  readonly #prefix: string;
  readonly #layouts: SetLayouts;
  readonly #clock: Clock;
  readonly #log: Logger;
  #child: ChildProcess | undefined;
  #listening: Promise<boolean> | undefined;
  #rest = "";
  #expected: Expectation | undefined;

  constructor(table: string, layouts: SetLayouts, clock: Clock, log: Logger) {
    this.#prefix = `delete element inet ${table} `;
    this.#layouts = layouts;
    this.#clock = clock;
    this.#log = log;
  }

  /** Ready to hear of removals; false where that cannot be had, and final counters with it. */
  listen(): Promise<boolean> {
    this.#listening ??= this.#start();
    return this.#listening;
  }

  /** Carries out `remove`, and gives what it deleted of `expected` as it was at that moment; less, if not all was heard. */
  async during(expected: readonly ExpectedRemoval[], remove: () => Promise<void>): Promise<readonly EchoedElement[]> {
    if (expected.length === 0 || !(await this.listen())) {
      await remove();
      return [];
    }
    const seen: EchoedElement[] = [];
    const all = new Promise<void>((resolve) => {
      const keys = new Set(expected.map(({ set, key }) => nameOf(set, key)));
      this.#expected = { keys, seen, done: resolve };
    });
    const child = this.#child;
    if (child !== undefined) setReferenced(child, true);
    try {
      await remove();
      await this.#inTime(all);
      return seen;
    } finally {
      this.#expected = undefined;
      if (child !== undefined) setReferenced(child, false);
    }
  }

  close(): void {
    const child = this.#child;
    this.#child = undefined;
    this.#listening = undefined;
    child?.kill("SIGTERM");
  }

  async #start(): Promise<boolean> {
    const [program, args] = COMMAND;
    const child = spawn(program, args, {
      env: { ...process.env, ...toolEnvironment() },
      stdio: ["ignore", "pipe", "ignore"],
    });
    this.#child = child;
    this.#rest = "";
    child.stdout.setEncoding("utf8");
    child.stdout.on("data", (text: string) => this.#receive(text));
    child.on("error", () => this.#lost(child));
    child.on("exit", () => this.#lost(child));
    for (let poll = 0; poll < LISTENING_POLLS && this.#child === child; poll += 1) {
      if (await isListening(child.pid)) {
        setReferenced(child, false);
        return true;
      }
      await new Promise<void>((resolve) => void this.#clock.after(POLL, resolve));
    }
    if (this.#child === child) this.close();
    this.#log.warn("kernel.removals.unheard", { remedy: "final counters are those that were read before the removal" });
    return false;
  }

  #lost(child: ChildProcess): void {
    if (this.#child !== child) return;
    this.#child = undefined;
    this.#listening = undefined;
    this.#expected?.done();
  }

  async #inTime(all: Promise<void>): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = this.#clock.after(EVENT_TIMEOUT, resolve);
      void all.then(() => {
        timer.cancel();
        resolve();
      });
    });
  }

  #receive(text: string): void {
    const lines = (this.#rest + text).split("\n");
    this.#rest = (lines.pop() ?? "").slice(0, MAX_LINE);
    for (const line of lines) if (line.startsWith(this.#prefix)) this.#note(line.slice(this.#prefix.length));
  }

  /** `SET { ELEMENT }` */
  #note(text: string): void {
    const expected = this.#expected;
    const [, set = "", body = ""] = /^(\S+) \{(.*)\}$/.exec(text) ?? [];
    const layout = this.#layouts.get(set);
    if (expected === undefined || layout === undefined) return;
    for (const element of parseElements(body, layout)) {
      if (!expected.keys.delete(nameOf(set, element.key))) continue;
      expected.seen.push({ set, element });
    }
    if (expected.keys.size === 0) expected.done();
  }
}

/** Whether the process has joined the group: /proc/net/netlink lists sockets by their owner's pid. */
async function isListening(pid: number | undefined): Promise<boolean> {
  const table = await readFile("/proc/net/netlink", "utf8").catch(() => "");
  return table.split("\n").some((line) => {
    const [, protocol, owner, groups = "0"] = line.trim().split(/\s+/);
    return protocol === PROTOCOL && owner === String(pid) && (Number.parseInt(groups, 16) & GROUP) !== 0;
  });
}
