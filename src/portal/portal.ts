/** The portal: accounts, log-ins, presence, and the API over them. */
import type { PortalView } from "../control/counter-views.js";
import type { ListenAddress } from "../http/listening.js";
import type { Clock, Timer } from "../model/clock.js";
import type { Logger } from "../model/log.js";
import type { TlsMaterial } from "../model/tls.js";
import { type Millis, seconds, type Timestamp } from "../model/units.js";
import { type Account, Accounts, type AccountTable } from "./accounts/accounts.js";
import { DEFAULT_CHECKER_LIMITS, PasswordChecker } from "./accounts/password.js";
import { loginRoutes } from "./api/login-routes.js";
import { opsRoutes } from "./api/ops-routes.js";
import type { ClassOffer, SessionAnswer, SipAccess } from "./api/shapes.js";
import { userRoutes } from "./api/user-routes.js";
import { CallWatch } from "./calls/call-watch.js";
import { Calls } from "./calls/calls.js";
import { Endpoint, type EndpointOptions } from "./http/endpoint.js";
import { EventStreams } from "./http/event-streams.js";
import { FrontDoor } from "./http/front-door.js";
import { securityHeaders } from "./http/headers.js";
import type { Pages } from "./http/pages.js";
import { RequestRate } from "./http/request-rate.js";
import { RouteTable } from "./http/routes.js";
import { LoginGuard } from "./login/login-guard.js";
import { OpsWatch } from "./ops/ops-watch.js";
import { type WatchedHost, WatchedHosts } from "./ops/watched.js";
import type { Directory } from "./presence/directory-client.js";
import { DirectoryKeeper } from "./presence/directory-keeper.js";
import { Presence } from "./presence/presence.js";
import type { RolePort } from "./roles/role-client.js";
import type { SessionLimits } from "./sessions/machine.js";
import { csrfTokenOf, type SessionKey } from "./sessions/session-id.js";
import type { SessionStore } from "./sessions/session-store.js";
import { type Login, Sessions } from "./sessions/sessions.js";

export interface PortalOptions {
  readonly tls: EndpointOptions["tls"];
  readonly publicUrl: string;
  readonly trustedProxies: readonly string[];
  readonly domain: string;
  /** A file, or a table that stays. */
  readonly accounts: string | AccountTable;
  readonly sip: { readonly wss: string; readonly expires: Millis; readonly stun?: readonly string[] };
  /** Short-lived credentials of a user for the SIP proxy. */
  readonly credentials: (user: string, expires: Timestamp) => { readonly username: string; readonly password: string };
  readonly classes: readonly ClassOffer[];
  readonly pdp: RolePort;
  readonly proxy: RolePort;
  readonly watch: readonly WatchedHost[];
  readonly directory: Directory | undefined;
  readonly sessions: SessionLimits;
  readonly store: SessionStore;
  readonly pages: Pages;
  readonly limits: {
    readonly connections: number;
    readonly connectionsPerSource: number;
    readonly streamsPerUser: number;
  };
  readonly clock: Clock;
  readonly log: Logger;
}

/** Accounts may change, and log-ins with them, without anybody asking. */
const ACCOUNTS_EVERY = seconds(15);
/** Event streams are connections too: some must be left for questions. */
const STREAM_SHARE = 0.8;

export class Portal {
  readonly #options: PortalOptions;
  readonly #accounts: Accounts;
  readonly #sessions: Sessions;
  readonly #streams: EventStreams;
  readonly #presence: Presence;
  readonly #directory: DirectoryKeeper | undefined;
  readonly #calls: Calls;
  readonly #callWatch: CallWatch;
  readonly #hosts: WatchedHosts;
  readonly #opsWatch: OpsWatch;
  readonly #endpoint: Endpoint;
  readonly #counters = new Map<string, number>();
  #accountsTimer: Timer | undefined;

  /** @throws ConfigError for accounts that cannot be read, SystemError for key and certificate */
  constructor(options: PortalOptions) {
    const { clock, log, store, pdp, proxy, limits, directory } = options;
    this.#options = options;
    this.#accounts = new Accounts(options.accounts, log);
    const headers = securityHeaders({ publicUrl: options.publicUrl, wss: options.sip.wss });
    this.#sessions = new Sessions({
      store,
      limits: options.sessions,
      clock,
      log,
      find: (name) => this.#accounts.find(name),
      onEnd: (key) => this.#streams.endOwner(key),
    });
    this.#streams = new EventStreams({
      clock,
      perUser: limits.streamsPerUser,
      total: Math.floor(limits.connections * STREAM_SHARE),
      headers,
      // Owners are the keys of log-ins.
      holds: (owner) => this.#sessions.holds(owner as SessionKey),
    });
    this.#presence = new Presence({
      clock,
      onLocal: ({ nick, aor }, online) => this.#directory?.tell(nick, aor, online),
    });
    this.#directory =
      directory === undefined
        ? undefined
        : new DirectoryKeeper({
            directory,
            clock,
            log,
            onEntries: (entries) =>
              this.#presence.remote(entries, (aor) => aor.toLowerCase().endsWith(`@${options.domain}`)),
          });
    this.#calls = new Calls({ pdp, proxy, log });
    this.#callWatch = new CallWatch({
      liveOf: (aors) => this.#calls.liveOf(aors),
      find: (callId, aor) => this.#calls.find(callId, aor),
      clock,
      log,
    });
    this.#hosts = new WatchedHosts(options.watch);
    this.#opsWatch = new OpsWatch({ hosts: this.#hosts.all, clock, log });
    this.#endpoint = this.#endpointOf(headers);
    this.#refreshAccounts();
  }

  listen(address: ListenAddress): Promise<ListenAddress> {
    return this.#endpoint.listen(address);
  }

  /** For connections to come. */
  replaceTls(tls: TlsMaterial): void {
    this.#endpoint.replaceTls(tls);
  }

  async close(): Promise<void> {
    this.#accountsTimer?.cancel();
    this.#presence.close();
    this.#directory?.close();
    this.#callWatch.close();
    this.#opsWatch.close();
    this.#streams.close();
    await this.#endpoint.close();
    this.#sessions.stop();
  }

  problems(): readonly string[] {
    return [...(this.#directory?.problems() ?? []), ...this.#callWatch.problems()];
  }

  view(): PortalView {
    return {
      users: this.#presence.online,
      logins: this.#sessions.size,
      pages: this.#streams.size,
      connections: this.#endpoint.connections,
      counters: {
        ...Object.fromEntries(this.#counters),
        connectionsRefused: this.#endpoint.refused,
        streamsDropped: this.#streams.dropped,
      },
    };
  }

  #endpointOf(headers: Readonly<Record<string, string>>): Endpoint {
    const { options, routes } = { options: this.#options, routes: this.#routes() };
    const { clock, log, limits, publicUrl, pages } = options;
    const trusted = new Set(options.trustedProxies);
    const door = new FrontDoor({
      routes,
      pages,
      sessions: this.#sessions,
      streams: this.#streams,
      rate: new RequestRate(clock),
      publicUrl,
      trusted,
      headers,
      clock,
      log,
      onRefused: (code) => this.#count(`refused.${code}`),
    });
    const { connections, connectionsPerSource } = limits;
    const serve = door.serve.bind(door);
    return new Endpoint({ tls: options.tls, connections, connectionsPerSource, trusted, clock, log, serve });
  }

  #routes(): RouteTable {
    const { clock, log, pdp } = this.#options;
    return new RouteTable([
      ...loginRoutes({
        accounts: this.#accounts,
        checker: new PasswordChecker(DEFAULT_CHECKER_LIMITS),
        guard: new LoginGuard(clock),
        sessions: this.#sessions,
        clock,
        log,
        describe: (login) => this.#describe(login),
        sip: (login) => this.#sipOf(login),
        onLeft: ({ account }) => this.#left(account),
        count: (what) => this.#count(what),
      }),
      ...userRoutes({
        presence: this.#presence,
        calls: this.#calls,
        watch: this.#callWatch,
        pdp,
        aorOf: (account) => this.#aorOf(account),
        log,
      }),
      ...opsRoutes({ hosts: this.#hosts, watch: this.#opsWatch }),
    ]);
  }

  #describe(login: Login): SessionAnswer {
    const { name: user, nick, operator } = login.account;
    const { classes, directory } = this.#options;
    const aor = this.#aorOf(login.account);
    const [csrf, sip] = [csrfTokenOf(login.id), this.#sipOf(login)];
    return { user, nick, aor, csrf, operator, sip, classes, directory: directory !== undefined };
  }

  #sipOf({ account }: Login): SipAccess {
    const { sip, clock, credentials } = this.#options;
    // To the second, as the user name says it.
    const expires = (Math.floor((clock.now() + sip.expires) / 1000) * 1000) as Timestamp;
    const stun = sip.stun === undefined || sip.stun.length === 0 ? {} : { stun: sip.stun };
    return { aor: this.#aorOf(account), wss: sip.wss, ...credentials(account.name, expires), expires, ...stun };
  }

  #aorOf({ name }: Account): string {
    return `${name}@${this.#options.domain}`;
  }

  /** The pages are gone, and so is who played in them. */
  #left(account: Account): void {
    this.#presence.left(account.name);
    this.#calls.leaveAll(this.#aorOf(account)).catch((error: unknown) => {
      this.#options.log.warn("portal.leave.failed", { user: account.name, error });
    });
  }

  #refreshAccounts(): void {
    this.#accountsTimer = this.#options.clock.after(ACCOUNTS_EVERY, () => {
      this.#accounts.refresh();
      this.#refreshAccounts();
    });
  }

  #count(what: string): void {
    this.#counters.set(what, (this.#counters.get(what) ?? 0) + 1);
  }
}
