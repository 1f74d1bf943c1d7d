/**
 * The daemon's side of the netlink agent: keeps one running, and its sockets open.
 *
 *   starting --opened--> running --ended--> waiting (back-off) --> starting …
 *
 * When it ends, whatever was under way is lost to everybody who waits for it: each channel is told, then opened again
 * in the next run.
 */
import type { Clock, Timer } from "../../../model/clock.js";
import { InternalError } from "../../../model/errors.js";
import type { Logger } from "../../../model/log.js";
import { millis } from "../../../model/units.js";
import { AGENT_PROGRAM } from "./agent-program.js";
import { AgentRun } from "./agent-run.js";
import { type ChannelSettings, decodeRefusal, encodeSettings, FRAME, type Frame, type Refusal } from "./frames.js";

const MAX_CHANNELS = 256;
/** A run shorter than this counts as a failure to start. */
const HEALTHY_MS = 5000;
const FIRST_DELAY_MS = 50;
const MAX_DELAY_MS = 5000;
const CLOSE_TIMEOUT = millis(2000);
const NOTHING = Buffer.alloc(0);
const LONGEST = 0x7fffffff;

/** What the owner of a channel is told. */
export interface ChannelListener {
  /** The socket is there; `receiveBuffer` in octets is what the kernel granted. Again after each restart. */
  opened(receiveBuffer: number): void;
  /** There is no such socket to be had from this kernel. */
  refused(refusal: Refusal): void;
  datagram(octets: Buffer): void;
  /** The datagram that was sent with this tag did not go out. */
  unsent(tag: number, refusal: Refusal): void;
  /** The socket lost a datagram or failed. */
  failed(refusal: Refusal): void;
  /** The agent ended: nothing that was sent before will be answered. Not told of `close`. */
  lost(reason: string): void;
}

export interface AgentOptions {
  /** For the log. */
  readonly name: string;
  readonly clock: Clock;
  readonly log: Logger;
  /** The program of another agent, in tests. */
  readonly program?: string;
}

interface Channel {
  readonly settings: ChannelSettings;
  readonly listener: ChannelListener;
}

/** One socket of the agent. */
export interface AgentChannel {
  /** Only between `opened` and `lost`. */
  send(tag: number, octets: Buffer): void;
  close(): void;
}

export class NetlinkAgent {
  readonly #options: AgentOptions;
  readonly #channels = new Map<number, Channel>();
  /** Holds the process alive while somebody waits for an answer, and only then: nothing else of the agent does. */
  readonly #keepAlive: NodeJS.Timeout;
  #waiters = 0;
  #lastChannel = -1;
  #run: AgentRun | undefined;
  #startedAt = 0;
  #starts = 0;
  #delay = 0;
  #backOff: Timer | undefined;
  #closing: (() => void) | undefined;
  #closed = false;

  constructor(options: AgentOptions) {
    this.#options = options;
    this.#keepAlive = setInterval(() => undefined, LONGEST);
    this.#keepAlive.unref();
    this.#start();
  }

  /** How often it was started: 1 while all is well. */
  get starts(): number {
    return this.#starts;
  }

  /** Undefined between two runs. */
  get pid(): number | undefined {
    return this.#run?.pid;
  }

  open(settings: ChannelSettings, listener: ChannelListener): AgentChannel {
    const free = this.#freeChannel();
    this.#channels.set(free, { settings, listener });
    this.#tell(FRAME.open, free, 0, encodeSettings(settings));
    return {
      send: (tag, octets) => this.#tell(FRAME.send, free, tag, octets),
      close: () => {
        if (this.#channels.delete(free)) this.#tell(FRAME.close, free, 0, NOTHING);
      },
    };
  }

  /** The one that was free for longest: the agent may still have something to say of the others. */
  #freeChannel(): number {
    for (let tries = 0; tries < MAX_CHANNELS; tries++) {
      this.#lastChannel = (this.#lastChannel + 1) % MAX_CHANNELS;
      if (!this.#channels.has(this.#lastChannel)) return this.#lastChannel;
    }
    throw new InternalError("INTERNAL_NETLINK_CHANNELS", `the agent has ${MAX_CHANNELS} sockets open already`);
  }

  /** Somebody waits for an answer. */
  hold(): void {
    if (this.#waiters++ === 0) this.#keepAlive.ref();
  }

  release(): void {
    if (--this.#waiters === 0) this.#keepAlive.unref();
  }

  /** Ends a run that does not answer; the next one starts. */
  restart(): void {
    this.#run?.kill();
  }

  /** Ends it for good. Channels are told nothing more. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#channels.clear();
    this.#backOff?.cancel();
    const run = this.#run;
    if (run !== undefined) {
      this.hold();
      await new Promise<void>((resolve) => {
        this.#closing = resolve;
        const timer = this.#options.clock.after(CLOSE_TIMEOUT, () => run.kill());
        this.#closing = () => {
          timer.cancel();
          resolve();
        };
        run.close();
      });
    }
    clearInterval(this.#keepAlive);
  }

  #tell(kind: number, channel: number, tag: number, payload: Buffer): void {
    this.#run?.send({ kind, channel, tag, payload });
  }

  #start(): void {
    this.#starts++;
    this.#startedAt = performance.now();
    const run: AgentRun = new AgentRun(this.#options.program ?? AGENT_PROGRAM, {
      frame: (frame) => this.#take(frame),
      ended: ({ reason }) => this.#lost(run, reason),
    });
    this.#run = run;
    for (const [id, { settings }] of this.#channels) this.#tell(FRAME.open, id, 0, encodeSettings(settings));
  }

  #take({ kind, channel, tag, payload }: Frame): void {
    const listener = this.#channels.get(channel)?.listener;
    if (listener === undefined) return;
    if (kind === FRAME.datagram) listener.datagram(payload);
    else if (kind === FRAME.opened) listener.opened(tag);
    else if (kind === FRAME.refused) listener.refused(decodeRefusal(payload));
    else if (kind === FRAME.unsent) listener.unsent(tag, decodeRefusal(payload));
    else listener.failed(decodeRefusal(payload));
  }

  #lost(run: AgentRun, reason: string): void {
    this.#run = undefined;
    if (this.#closed) {
      this.#closing?.();
      return;
    }
    const { name, log, clock } = this.#options;
    const lived = performance.now() - this.#startedAt;
    this.#delay = lived >= HEALTHY_MS ? 0 : Math.min(MAX_DELAY_MS, Math.max(FIRST_DELAY_MS, this.#delay * 2));
    log.warn("kernel.netlink.agentLost", {
      agent: name,
      pid: run.pid,
      reason,
      starts: this.#starts,
      againInMs: this.#delay,
    });
    this.#backOff = clock.after(millis(this.#delay), () => {
      if (!this.#closed) this.#start();
    });
    for (const { listener } of [...this.#channels.values()]) listener.lost(reason);
  }
}
