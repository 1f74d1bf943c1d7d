/**
 * Live transactions: finds the one that a message belongs to, steps its machine, does what the machine says. Knows timers
 * and the transport, not what a proxy is.
 */
import type { Clock, Timer } from "../../model/clock.js";
import type { SipMessage, SipRequest, SipResponse } from "../message/message.js";
import type { FlowId } from "../transport/transport.js";
import { inviteClient, stepInviteClient } from "./invite-client.js";
import { inviteServer, stepInviteServer } from "./invite-server.js";
import type { Action, ClientEvent, ServerEvent, Step } from "./machine.js";
import { clientKey, serverKey } from "./matching.js";
import { nonInviteClient, stepNonInviteClient } from "./non-invite-client.js";
import { nonInviteServer, stepNonInviteServer } from "./non-invite-server.js";
import type { SipTimers, TimerName, TransactionTimers } from "./timers.js";

export interface TransactionOptions {
  readonly clock: Clock;
  readonly timers: SipTimers;
  /**
   * Live transactions, both sides together. BYE and CANCEL, which free resources, may go a quarter beyond.
   */
  readonly limit: number;
}

/** Where a transaction talks. */
export interface Channel {
  /** What is sent arrives, or the failure is told: nothing need be sent again (§17). */
  readonly reliable: boolean;
  /** The only connection that an answer can come by. */
  readonly flow: FlowId | undefined;
  /** Tells of a send that failed for good. */
  send(message: SipMessage, failed: () => void): void;
}

export interface ClientUser {
  /** Provisionals and finals; of 2xx to INVITE every retransmission. */
  response(response: SipResponse): void;
  /** Timer B or F, or the transport failed: no answer will come. */
  failed(reason: "timeout" | "transportError"): void;
}

export interface ServerUser {
  /** An ACK for a 2xx that shares the INVITE's branch. */
  ack?(request: SipRequest): void;
}

export interface ServerTransaction {
  readonly request: SipRequest;
  /** The final status that was sent, if any. */
  readonly finalStatus: number | undefined;
  respond(response: SipResponse): void;
}

export interface ClientTransaction {
  readonly request: SipRequest;
}

type Machine<Event> = { step(event: Event): readonly Action[] };

export class TransactionLayer {
  private readonly servers = new Map<string, Live<ServerEvent>>();
  private readonly clients = new Map<string, Live<ClientEvent>>();
  /** Client transactions that wait for an answer by one connection only. */
  private readonly byFlow = new Map<FlowId, Set<Live<ClientEvent>>>();
  private readonly options: TransactionOptions;

  constructor(options: TransactionOptions) {
    this.options = options;
  }

  get size(): number {
    return this.servers.size + this.clients.size;
  }

  /** False if there are too many transactions to begin one more: answer 503. */
  hasRoomFor(method: string): boolean {
    const { limit } = this.options;
    // A request makes two: the server's and the client's.
    return this.size + 2 <= (method === "BYE" || method === "CANCEL" ? limit * 1.25 : limit);
  }

  /** True if a live server transaction took the request: a retransmission, or an ACK. */
  receiveRequest(request: SipRequest): boolean {
    const live = this.servers.get(serverKey(request));
    live?.dispatch({ kind: "request", request });
    return live !== undefined;
  }

  /** True if a live client transaction took the response. Others are dropped (RFC 6026 §7.3: no stray is forwarded). */
  receiveResponse(response: SipResponse): boolean {
    const live = this.clients.get(clientKey(response));
    live?.dispatch({ kind: "response", response });
    return live !== undefined;
  }

  /** The INVITE server transaction that a CANCEL means (§9.2), if it lives. */
  inviteOf(cancel: SipRequest): ServerTransaction | undefined {
    return this.servers.get(serverKey(cancel, "INVITE"))?.server;
  }

  /** The connection is closed: what waits for an answer by it has failed (§18.4). */
  flowClosed(flow: FlowId): void {
    for (const live of [...(this.byFlow.get(flow) ?? [])]) live.dispatch({ kind: "transportError" });
  }

  startServer(request: SipRequest, channel: Channel, user: ServerUser = {}): ServerTransaction {
    const key = serverKey(request);
    let finalStatus: number | undefined;
    const live = new Live<ServerEvent>(serverMachine(request, this.timersOf(channel)), {
      clock: this.options.clock,
      channel,
      ended: () => this.servers.delete(key),
      ack: (ack) => user.ack?.(ack),
    });
    const server: ServerTransaction = {
      request,
      get finalStatus() {
        return finalStatus;
      },
      respond: (response) => {
        if (response.status >= 200) finalStatus ??= response.status;
        live.dispatch({ kind: "respond", response });
      },
    };
    live.server = server;
    this.servers.set(key, live);
    live.dispatch({ kind: "start" });
    return server;
  }

  startClient(request: SipRequest, channel: Channel, user: ClientUser): ClientTransaction {
    const key = clientKey(request);
    const live: Live<ClientEvent> = new Live<ClientEvent>(clientMachine(request, this.timersOf(channel)), {
      clock: this.options.clock,
      channel,
      ended: () => {
        this.clients.delete(key);
        this.leave(channel.flow, live);
      },
      response: (response) => user.response(response),
      failed: (reason) => user.failed(reason),
    });
    this.clients.set(key, live);
    this.join(channel.flow, live);
    live.dispatch({ kind: "start" });
    return { request };
  }

  /** Forgets everything; timers are stopped. */
  close(): void {
    for (const live of [...this.servers.values(), ...this.clients.values()]) live.stop();
    this.servers.clear();
    this.clients.clear();
    this.byFlow.clear();
  }

  private timersOf({ reliable }: Channel): TransactionTimers {
    return { ...this.options.timers, reliable };
  }

  private join(flow: FlowId | undefined, live: Live<ClientEvent>): void {
    if (flow === undefined) return;
    const lives = this.byFlow.get(flow) ?? new Set();
    this.byFlow.set(flow, lives.add(live));
  }

  private leave(flow: FlowId | undefined, live: Live<ClientEvent>): void {
    const lives = flow === undefined ? undefined : this.byFlow.get(flow);
    if (flow === undefined || lives === undefined) return;
    lives.delete(live);
    if (lives.size === 0) this.byFlow.delete(flow);
  }
}

interface LiveOptions {
  readonly clock: Clock;
  readonly channel: Channel;
  readonly ended: () => void;
  readonly response?: (response: SipResponse) => void;
  readonly failed?: (reason: "timeout" | "transportError") => void;
  readonly ack?: (request: SipRequest) => void;
}

/** One machine with its timers. */
class Live<Event> {
  server: ServerTransaction | undefined;
  private readonly timers = new Map<TimerName, Timer>();
  private readonly machine: Machine<Event | TimerOrError>;
  private readonly options: LiveOptions;

  constructor(machine: Machine<Event | TimerOrError>, options: LiveOptions) {
    this.machine = machine;
    this.options = options;
  }

  dispatch(event: Event | TimerOrError): void {
    for (const action of this.machine.step(event)) this.perform(action);
  }

  stop(): void {
    for (const timer of this.timers.values()) timer.cancel();
    this.timers.clear();
  }

  private perform(action: Action): void {
    switch (action.kind) {
      case "send":
        this.options.channel.send(action.message, () => this.dispatch({ kind: "transportError" }));
        return;
      case "arm":
        this.timers.get(action.timer)?.cancel();
        this.timers.set(
          action.timer,
          this.options.clock.after(action.delay, () => this.fire(action.timer)),
        );
        return;
      case "disarm":
        this.timers.get(action.timer)?.cancel();
        this.timers.delete(action.timer);
        return;
      case "response":
        this.options.response?.(action.response);
        return;
      case "ack":
        this.options.ack?.(action.request);
        return;
      case "timeout":
      case "transportError":
        this.options.failed?.(action.kind);
        return;
      case "terminated":
        this.stop();
        this.options.ended();
    }
  }

  private fire(timer: TimerName): void {
    this.timers.delete(timer);
    this.dispatch({ kind: "timer", timer });
  }
}

type TimerOrError = { readonly kind: "timer"; readonly timer: TimerName } | { readonly kind: "transportError" };

function running<State, Event>(start: State, step: (state: State, event: Event) => Step<State>): Machine<Event> {
  let state = start;
  return {
    step(event) {
      const next = step(state, event);
      state = next.state;
      return next.actions;
    },
  };
}

function serverMachine(request: SipRequest, timers: TransactionTimers): Machine<ServerEvent> {
  return request.method === "INVITE"
    ? running(inviteServer(request, timers), stepInviteServer)
    : running(nonInviteServer(request, timers), stepNonInviteServer);
}

function clientMachine(request: SipRequest, timers: TransactionTimers): Machine<ClientEvent> {
  return request.method === "INVITE"
    ? running(inviteClient(request, timers), stepInviteClient)
    : running(nonInviteClient(request, timers), stepNonInviteClient);
}
