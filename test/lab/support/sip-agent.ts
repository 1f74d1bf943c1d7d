/** A telephone at a host of a lab that does what a test tells it, message by message. */
import { join } from "node:path";
import { createInterface } from "node:readline";
import { execa } from "execa";
import { ROOT } from "./root.js";
import { header, type Place, readSip, type SipText } from "./sip-message.js";
import type { TestLab } from "./test-lab.js";

type Match = (message: SipText) => boolean;

interface Waiter {
  readonly match: Match;
  readonly keeps: boolean;
  readonly found: (message: SipText) => void;
  readonly gone: () => void;
}

export const ADDRESSES = { uac: "10.1.0.10", uas: "10.3.0.10" } as const;

export class SipAgent {
  readonly place: Place;
  readonly #child;
  #inbox: SipText[] = [];
  #waiters: Waiter[] = [];
  /** Nothing is lost on the way in a lab: what comes twice is a retransmission. */
  readonly #seen = new Set<string>();
  readonly #exchanged: { readonly callId: string | undefined; readonly what: string }[] = [];

  private constructor(lab: TestLab, host: keyof typeof ADDRESSES, port: number) {
    this.place = { address: ADDRESSES[host], port };
    const relay = ["node", join(ROOT, "test/lab/support/relay.mjs"), JSON.stringify(this.place)];
    this.#child = execa("ip", ["netns", "exec", `${lab.prefix}-${host}`, ...relay], { buffer: false, reject: false });
  }

  static async at(lab: TestLab, host: keyof typeof ADDRESSES, port = 5060): Promise<SipAgent> {
    const agent = new SipAgent(lab, host, port);
    await new Promise<void>((resolve, reject) => {
      createInterface({ input: agent.#child.stdout }).on("line", (line) => {
        const said = JSON.parse(line) as { readonly text?: string };
        if (said.text === undefined) resolve();
        else agent.#arrived(said.text);
      });
      agent.#child.then(({ stderr }) => reject(new Error(`the agent at ${host} ended: ${String(stderr)}`)), reject);
    });
    return agent;
  }

  async close(): Promise<void> {
    for (const { gone } of this.#waiters.splice(0)) gone();
    this.#child.stdin.end();
    await this.#child;
  }

  send(text: string, to: Place): void {
    this.#note(">", readSip(text));
    this.#child.stdin.write(`${JSON.stringify({ to, text })}\n`);
  }

  /** The first message that matches, once. @throws Error if none comes within the time, in milliseconds */
  take(what: string, match: Match, within = 6000): Promise<SipText> {
    return this.#wait(what, { match, keeps: false }, within);
  }

  /** As `take`, and leaves it there to be taken. */
  sees(what: string, match: Match, within = 6000): Promise<SipText> {
    return this.#wait(what, { match, keeps: true }, within);
  }

  /** The messages of a call, in their order: `> INVITE` was sent, `< 200 INVITE` came. Retransmissions do not count. */
  exchanged(callId: string): readonly string[] {
    return this.#exchanged.filter((each) => each.callId === callId).map(({ what }) => what);
  }

  /** What came and nobody took. */
  untaken(callId: string): readonly SipText[] {
    return this.#inbox.filter((message) => header(message, "Call-ID") === callId && message.status !== 100);
  }

  #wait(what: string, { match, keeps }: Pick<Waiter, "match" | "keeps">, within: number): Promise<SipText> {
    const there = this.#inbox.find(match);
    if (there !== undefined) {
      if (!keeps) this.#inbox = this.#inbox.filter((message) => message !== there);
      return Promise.resolve(there);
    }
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        match,
        keeps,
        gone: () => {
          clearTimeout(timer);
          reject(new Error(`the agent was closed before ${what} came`));
        },
        found: (message) => {
          clearTimeout(timer);
          resolve(message);
        },
      };
      this.#waiters.push(waiter);
      const timer = setTimeout(() => {
        this.#waiters = this.#waiters.filter((each) => each !== waiter);
        const came = this.#inbox.map(({ text }) => text.split("\r\n", 1)[0]);
        reject(new Error(`${this.place.address} waited ${within} ms for ${what}; untaken: ${came.join(" | ")}`));
      }, within);
    });
  }

  #arrived(text: string): void {
    if (this.#seen.has(text)) return;
    this.#seen.add(text);
    const message = readSip(text);
    this.#note("<", message);
    const matching = this.#waiters.filter(({ match }) => match(message));
    const taker = matching.find(({ keeps }) => !keeps);
    const served = matching.filter((waiter) => waiter.keeps || waiter === taker);
    this.#waiters = this.#waiters.filter((waiter) => !served.includes(waiter));
    if (taker === undefined) this.#inbox.push(message);
    for (const waiter of served) waiter.found(message);
  }

  #note(way: "<" | ">", message: SipText): void {
    const { status, method } = message;
    const what = `${way} ${status === 0 ? "" : `${status} `}${method}`;
    this.#exchanged.push({ callId: header(message, "Call-ID"), what });
  }
}

/** The caller's and the callee's telephone. */
export const bothAgents = (lab: TestLab, port?: number): Promise<SipAgent[]> =>
  Promise.all((["uac", "uas"] as const).map((host) => SipAgent.at(lab, host, port)));

/** What a test's file has raised; some of it is not there if that failed. */
export async function takeDown(lab: TestLab | undefined, agents: readonly (SipAgent | undefined)[]): Promise<void> {
  await Promise.all(agents.map((agent) => agent?.close()));
  await lab?.down();
}
