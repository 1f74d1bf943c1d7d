/** Which service class each flow of a session gets, and how much of it at least and at most. Pure. */
import type { Refusal, RefusalReason } from "../../model/decision.js";
import type { FlowDirection, TrafficSpec } from "../../model/flow.js";
import { MEDIA_SECURITY } from "../../model/quality.js";
import type { ServiceClass } from "../session-way.js";
import { type TrafficRange, trafficAt } from "./best-fit.js";
import type { AskedFlow } from "./flow-ask.js";
import type { SessionClass } from "./session-class.js";

export interface ServedFlow extends AskedFlow, TrafficRange {
  readonly direction: FlowDirection;
  readonly class: ServiceClass;
  readonly sessionClass: SessionClass | undefined;
}

export interface ClassBook {
  readonly classes: ReadonlyMap<string, ServiceClass>;
  readonly sessionClasses: ReadonlyMap<string, SessionClass>;
}

/** The classes that the media of a session name, each once; undefined stands for media that name none. */
export function namedClasses(flows: readonly AskedFlow[]): readonly (string | undefined)[] {
  if (flows.length === 0) return [undefined];
  const names = namesByMedium(flows);
  return [...new Set(flows.map(({ ask }) => names.get(ask?.index)))];
}

/** Whether anybody asks for more than to be served. */
export const asksQuality = (flows: readonly AskedFlow[]): boolean =>
  flows.some(({ ask }) => ask?.sessionClass !== undefined || ask?.need !== undefined || ask?.mandatory === true);

/** Whether the proxies may leave the dialog: every medium says so by its class. */
export const isDirect = (flows: readonly ServedFlow[]): boolean =>
  flows.length > 0 && flows.every(({ sessionClass }) => sessionClass?.ack === "direct");

/** @param own - for media that name no class */
export function serveFlows(
  { classes, sessionClasses }: ClassBook,
  own: ServiceClass,
  flows: readonly AskedFlow[],
): { readonly admitted: true; readonly flows: readonly ServedFlow[] } | Refusal {
  const names = namesByMedium(flows);
  const served: ServedFlow[] = [];
  for (const flow of flows) {
    const name = names.get(flow.ask?.index);
    const sessionClass = name === undefined ? undefined : sessionClasses.get(name);
    const serviceClass = name === undefined ? own : classes.get(sessionClass?.class ?? "");
    if (serviceClass === undefined) return refuse("mediaUnacceptable", `no session class ${name} is served here`);
    const refusal = insecure(flow, sessionClass) ?? tooMuch(flow, sessionClass);
    if (refusal !== undefined) return refusal;
    served.push({ ...flow, ...rangeOf(flow, sessionClass), class: serviceClass, sessionClass });
  }
  return { admitted: true, flows: served };
}

/** RTCP goes with the medium that it is about, whatever is said of it alone. */
function namesByMedium(flows: readonly AskedFlow[]): ReadonlyMap<number | undefined, string> {
  const names = new Map<number | undefined, string>();
  for (const { ask } of flows) if (ask?.sessionClass !== undefined) names.set(ask.index, ask.sessionClass);
  return names;
}

const leastOf = ({ traffic, ask }: AskedFlow): TrafficSpec =>
  ask?.least !== undefined && ask.least.rate < traffic.rate ? ask.least : traffic;

/** What is wanted beyond the limit of the class is not asked for. */
function rangeOf(flow: AskedFlow, sessionClass: SessionClass | undefined): TrafficRange {
  const range = { least: leastOf(flow), most: flow.traffic };
  const limit = sessionClass?.maxRate;
  return limit === undefined ? range : { ...range, most: trafficAt(range, limit) };
}

function tooMuch(flow: AskedFlow, sessionClass: SessionClass | undefined): Refusal | undefined {
  const [least, limit] = [leastOf(flow).rate, sessionClass?.maxRate];
  if (limit === undefined || least <= limit) return undefined;
  const text = `a medium needs ${least / 1000} kbit/s, session class ${sessionClass?.name} allows ${limit / 1000} kbit/s`;
  return refuse("mediaUnacceptable", text);
}

function insecure({ ask }: AskedFlow, sessionClass: SessionClass | undefined): Refusal | undefined {
  const [given, required] = [ask?.security, sessionClass?.security];
  if (given === undefined || required === undefined) return undefined;
  if (MEDIA_SECURITY.indexOf(given) >= MEDIA_SECURITY.indexOf(required)) return undefined;
  return refuse("insecure", `session class ${sessionClass?.name} requires ${required}, the medium has ${given}`);
}

const refuse = (reason: RefusalReason, text: string): Refusal => ({ admitted: false, reason, text });
