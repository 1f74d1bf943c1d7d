/** What every role is built on: its event log and its control socket. */
import { join } from "node:path";
import type { RoleConfig } from "../config/load.js";
import { type ControlQuery, type ControlRoute, ControlServer } from "../control/server.js";
import type { ControlStream } from "../control/stream.js";
import type { DiffView, EventsView, HealthView } from "../control/views.js";
import { type Clock, SYSTEM_CLOCK } from "../model/clock.js";
import type { LadderProtocol } from "../model/event.js";
import type { Logger } from "../model/log.js";
import type { SessionId } from "../model/session.js";
import { EventLog } from "../telemetry/event-log.js";

export interface RunningRole {
  /** Reads again what may be replaced while the role runs. */
  reload(): void;
  close(): Promise<void>;
}

/** Things to undo in reverse order, whether start-up failed half-way or the role is told to stop. */
export class Cleanup {
  readonly #steps: (() => Promise<void> | void)[] = [];

  add(step: () => Promise<void> | void): void {
    this.#steps.push(step);
  }

  async run(): Promise<void> {
    for (const step of this.#steps.splice(0).reverse()) await step();
  }
}

export interface RoleContext<Config extends RoleConfig> {
  readonly config: Config;
  readonly log: Logger;
  readonly clock: Clock;
  readonly cleanup: Cleanup;
  readonly events: EventLog;
  /** A step of `reload`. */
  readonly onReload: (step: () => void) => void;
  /** A file in the role's state directory. */
  readonly statePath: (file: string) => string;
}

/** Builds a role; whatever it had taken is given back when a later step fails. */
export async function buildRole<Config extends RoleConfig>(
  config: Config,
  log: Logger,
  build: (context: RoleContext<Config>) => Promise<void>,
): Promise<RunningRole> {
  const cleanup = new Cleanup();
  const reloads: (() => void)[] = [];
  const onReload = (step: () => void): void => void reloads.push(step);
  try {
    const events = new EventLog({ directory: config.state, log });
    cleanup.add(() => events.close());
    const statePath = (file: string) => join(config.state, file);
    await build({ config, log, clock: SYSTEM_CLOCK, cleanup, events, onReload, statePath });
  } catch (error) {
    await cleanup.run();
    throw error;
  }
  const reload = (): void => {
    if (reloads.length === 0) log.warn("role.reload.unsupported");
    for (const step of reloads) step();
  };
  return { reload, close: () => cleanup.run() };
}

export interface ControlRoutes {
  readonly show: Readonly<Record<string, (query: ControlQuery) => Promise<unknown> | unknown>>;
  readonly explain?: (session: string) => Promise<unknown> | unknown;
  /** Intent against kernel; `render`: with what would mend it. */
  readonly diff?: (render: boolean) => Promise<DiffView>;
  /** Views that take more than a topic, by the path after `/v1/`. */
  readonly views?: Readonly<Record<string, ControlRoute>>;
  /** What is told as it happens, likewise. */
  readonly streams?: Readonly<Record<string, ControlStream>>;
  /** What changes something, likewise. */
  readonly actions?: Readonly<Record<string, ControlRoute>>;
  /** What is wrong now, one sentence each. */
  readonly problems: () => readonly string[];
  /** What may soon be wrong, likewise. */
  readonly warnings?: () => readonly string[];
}

const VERSION = "0.1.0";

/** The local API. Last to open: whoever finds it can use the role. */
export async function openControl<Config extends RoleConfig>(
  context: RoleContext<Config>,
  { show, explain, diff, views = {}, streams = {}, actions = {}, problems, warnings = () => [] }: ControlRoutes,
): Promise<void> {
  const { config, log, clock, cleanup, events } = context;
  const since = clock.now();
  const routes: Record<string, ControlRoute> = {
    ...underV1(views),
    "/v1/health": async (): Promise<HealthView> => {
      const found = problems();
      const status = found.length === 0 ? "ok" : "degraded";
      const identity = { role: config.role, name: config.name, version: VERSION, since };
      return { ...identity, status, problems: found, warnings: warnings() };
    },
    "/v1/events": async ({ session = "" }): Promise<EventsView> => {
      const id = await events.resolve(session);
      return { session: id ?? null, events: id === undefined ? [] : await events.query(id) };
    },
  };
  for (const [topic, answer] of Object.entries(show)) routes[`/v1/show/${topic}`] = async (query) => answer(query);
  if (explain !== undefined) {
    routes["/v1/explain"] = async ({ session = "" }) => explain((await events.resolve(session)) ?? session);
  }
  if (diff !== undefined) routes["/v1/diff"] = ({ render }) => diff(render !== undefined);
  const server = new ControlServer({
    path: config.control,
    routes,
    actions: underV1(actions),
    streams: underV1(streams),
    log,
  });
  await server.listen();
  cleanup.add(() => server.close());
}

const underV1 = <Route>(routes: Readonly<Record<string, Route>>): Readonly<Record<string, Route>> =>
  Object.fromEntries(Object.entries(routes).map(([name, route]) => [`/v1/${name}`, route]));

export type Exchange = (session: SessionId, message: string, action: "sent" | "received", remote: string) => void;

/** Notes messages of one protocol, told from our end. */
export const exchangeLog =
  (events: EventLog, protocol: LadderProtocol, local: string): Exchange =>
  (session, message, action, remote) => {
    const [from, to] = action === "sent" ? [local, remote] : [remote, local];
    events.record({ session, protocol, message, action, from, to });
  };
