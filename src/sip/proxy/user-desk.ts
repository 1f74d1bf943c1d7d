/**
 * The proxy's own users: REGISTER (RFC 3261 §10.3), who may call in whose name (§22), and where a user that is called is
 * to be found (§16.5). What it holds is the registrar's; what a password is worth, the verifier's.
 */
import type { Clock } from "../../model/clock.js";
import type { Logger } from "../../model/log.js";
import type { Asker, AuthVerdict } from "../auth/verifier.js";
import type { Directory, DirectoryEntry } from "../location/directory.js";
import type { ExtraHeader } from "../message/build.js";
import type { SipRequest } from "../message/message.js";
import { parseSipUri, type SipUri } from "../message/uri.js";
import { type AddressOfRecord, type Arrived, agentNameOf, type Binding } from "../registrar/binding.js";
import { registerAnswer } from "../registrar/register-answer.js";
import { aorOf, readRegister } from "../registrar/register-request.js";
import { type FlowId, isWebSocket } from "../transport/transport.js";
import type { Call } from "./call.js";
import { hopOf } from "./hop.js";
import type { DialogAgent } from "./policy.js";
import type { Arrival } from "./relay.js";
import type { RegisteredAgent, Router } from "./routing.js";
import type { Answer, Located, UserServices } from "./user-services.js";

/** Since the start. */
export interface UserCounters {
  /** Requests of connections that are nobody's. */
  unregistered: number;
  /** Requests in a name that is not the sender's. */
  impostors: number;
  /** Names found in the directory. */
  nicknames: number;
}

export interface UserDeskParts {
  readonly services: UserServices;
  readonly router: Router;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Option tags of REGISTER that are understood (§10.3 step 2). */
const SUPPORTED = ["outbound"];

export class UserDesk {
  readonly counters: UserCounters = { unregistered: 0, impostors: 0, nicknames: 0 };
  private readonly parts: UserDeskParts;
  private readonly services: UserServices;

  constructor(parts: UserDeskParts) {
    this.parts = parts;
    this.services = parts.services;
  }

  /** §10.3. */
  register(arrival: Arrival): Answer {
    const { request } = arrival;
    const user = aorOf(request.to?.uri ?? "");
    const target = parseSipUri(request.requestUri);
    // §10.3 steps 1 and 5. It is not passed on: nobody registers elsewhere through here.
    if (user === undefined || target === undefined || !this.isDomainOf(target, user.domain)) return NOT_FOUND;
    const unknown = request.headerList("require").filter((tag) => !SUPPORTED.includes(tag.toLowerCase()));
    if (unknown.length > 0) {
      const headers = [{ name: "Unsupported", value: unknown.join(", ") }];
      return { status: 420, phrase: "Bad Extension", headers };
    }
    const proof = this.prove(arrival, { asker: "registrar", realm: user.domain });
    if (proof?.kind === "answered") return proof;
    if (proof !== undefined && proof.user !== user.user) return this.impostor("Another's Address");
    const reading = readRegister(request);
    if (!reading.ok) return reading;
    const { wish } = reading;
    const wantsFlow =
      wish.outbound && wish.contacts !== "all" && wish.contacts.some(({ regId }) => regId !== undefined);
    const arrived = arrivedBy(arrival, wantsFlow);
    // RFC 5626 §6: the connection is the other proxy's, and it says nothing of its keeping one.
    if (wantsFlow && arrived.relayed === true) return { status: 439, phrase: "First Hop Lacks Outbound Support" };
    const outcome = this.services.registrar.register(wish, arrived, proof?.until);
    return registerAnswer(outcome, this.services.registrar.bindings(wish.aor), this.parts.clock.now());
  }

  /**
   * Whether the sender may say what From says: a WebSocket is a registered user's, and a request outside a dialog is
   * in the name of one. Undefined if it may.
   * @param call - whose dialog the request is in; undefined outside one
   */
  refuse(arrival: Arrival, call: Call | undefined): Answer | undefined {
    const { request, remote } = arrival;
    const users = remote.flow === undefined ? [] : this.services.registrar.onFlow(remote.flow);
    if (users.length === 0 && isWebSocket(remote.transport)) {
      this.counters.unregistered += 1;
      return { status: 403, phrase: "Not Registered" };
    }
    if (call !== undefined) {
      return this.isParty(call, { request, flow: users.length > 0 ? remote.flow : undefined })
        ? undefined
        : this.impostor("Another's Dialog");
    }
    const from = aorOf(request.from?.uri ?? "");
    if (users.length > 0) {
      return users.some(({ aor }) => aor === from?.aor) ? undefined : this.impostor("From Is Another's");
    }
    // §22.1: an ACK cannot be challenged.
    return request.method === "ACK" ? undefined : this.refuseUnproven(arrival, from);
  }

  /**
   * Inside a dialog From is what the INVITE's To was, a nick name perhaps: whose request it is says the connection that the
   * party has now.
   * @param flow - on which users are registered
   */
  private isParty(call: Call, { request, flow }: { request: SipRequest; flow: FlowId | undefined }): boolean {
    const agent = call.context.agents?.[call.partyOf(request)];
    if (agent === undefined || flow === undefined) return agent === undefined && flow === undefined;
    return this.flowOf(agent) === flow;
  }

  /** What only this proxy is to see of the sender's credentials is taken out (§22.3). */
  withoutCredentials(request: SipRequest): SipRequest {
    if (this.services.authentication?.always !== true) return request;
    const lines = request.headerLines("proxy-authorization");
    const others = lines.filter((line) => !this.isOwnRealm(/realm\s*=\s*"([^"]*)"/i.exec(line)?.[1]));
    if (others.length === lines.length) return request;
    const bare = request.removeHeader("proxy-authorization");
    return others.reduce((result, line) => result.addHeader("Proxy-Authorization", line), bare);
  }

  /** Where a request outside a dialog goes, if it is to a user of these domains; asks the directory who that is. */
  async locate(received: SipRequest): Promise<Located> {
    const found = { kind: "found", request: received } as const;
    const request = this.parts.router.preprocess(received);
    const uri = parseSipUri(request.requestUri);
    if (received.toTag !== undefined || request.routes.length > 0 || uri?.user === undefined) return found;
    if (!this.parts.router.isOurs(uri)) return found;
    // §25.1 other-user: who asks for a nick name means no user of these domains, and the other way round.
    const isNick = uri.parameters.get("user")?.toLowerCase() === "nick";
    if (!isNick && this.isReachable(uri)) return found;
    if (!isNick && this.isKnown(uri)) return NOT_HERE;
    const { directory } = this.services;
    if (directory === undefined) return isNick ? { kind: "refused", ...NOT_FOUND } : found;
    const entry = await this.findNick(directory, uri.user).catch((cause: unknown) => {
      this.parts.logger.warn("sip.directory.failed", { cause: String(cause) });
      return "unknown" as const;
    });
    if (entry === "unknown") return { ...NOT_HERE, headers: [warning("the directory does not answer")] };
    if (entry === undefined) return { kind: "refused", ...NOT_FOUND };
    const real = parseSipUri(entry.aor);
    if (!isNick && real?.host !== this.userOf(uri)?.domain) return { kind: "refused", ...NOT_FOUND };
    const isHere = real !== undefined && this.parts.router.isOurs(real);
    if (real === undefined || (isHere ? !this.isReachable(real) : !entry.online)) return NOT_HERE;
    this.counters.nicknames += 1;
    return { kind: "found", request: request.replaceRequestUri(entry.aor) };
  }

  /** @param user - as a URI has it */
  private async findNick(directory: Directory, user: string): Promise<DirectoryEntry | undefined> {
    const nick = decoded(user);
    return nick === undefined ? undefined : directory.find(nick);
  }

  /** For the router: the binding that is wanted most. */
  agent(uri: SipUri): RegisteredAgent | undefined {
    const [binding] = this.bindingsOf(uri);
    return binding === undefined ? undefined : reached(binding);
  }

  /** Who is at the other end of a connection: the user in whose name it asks, or the one who is asked. */
  agentOn(
    flow: FlowId | undefined,
    who: { readonly from?: string; readonly contact?: string },
  ): DialogAgent | undefined {
    if (flow === undefined) return undefined;
    const users = this.services.registrar.onFlow(flow);
    const from = who.from === undefined ? undefined : aorOf(who.from)?.aor;
    const found = users.find(({ aor, contact }) => (from === undefined ? contact === who.contact : aor === from));
    return found === undefined ? undefined : { aor: found.aor, agent: agentNameOf(found) };
  }

  /** The connection that an agent has now. */
  flowOf({ aor, agent }: DialogAgent): FlowId | undefined {
    return this.services.registrar.reachable(aor).find((binding) => agentNameOf(binding) === agent)?.arrived.flow;
  }

  private refuseUnproven(arrival: Arrival, from: ReturnType<typeof aorOf>): Answer | undefined {
    if (this.services.authentication?.always !== true || from === undefined || !this.isOwnRealm(from.domain))
      return undefined;
    const uri = parseSipUri(`sip:${from.user}@${from.domain}`);
    // A user of the table is where the table says, and nowhere else.
    const known = uri === undefined ? undefined : this.parts.router.staticUser(uri);
    if (known?.host === arrival.remote.address) return undefined;
    const proof = this.prove(arrival, { asker: "proxy", realm: from.domain });
    if (proof === undefined || proof.kind === "answered") return proof;
    return proof.user === from.user ? undefined : this.impostor("From Is Another's");
  }

  private prove(arrival: Arrival, { asker, realm }: { asker: Asker; realm: string }): AuthVerdict | undefined {
    const { authentication } = this.services;
    if (authentication === undefined) return undefined;
    const { request, remote } = arrival;
    const algorithms = isWebSocket(remote.transport) ? authentication.webAlgorithms : authentication.algorithms;
    const now = this.parts.clock.now();
    return authentication.verifier.verify(request, { asker, realm, algorithms, source: remote.address, now });
  }

  private impostor(phrase: string): Answer {
    this.counters.impostors += 1;
    return { status: 403, phrase };
  }

  /** The Request-URI of a REGISTER names the domain, or this proxy (§10.2). */
  private isDomainOf(target: SipUri, domain: string): boolean {
    return this.isOwnRealm(domain) && (target.host === domain || this.parts.router.isSelf(target));
  }

  private isOwnRealm(realm: string | undefined): boolean {
    return realm !== undefined && this.parts.router.isDomain(realm);
  }

  private isReachable(uri: SipUri): boolean {
    return this.parts.router.staticUser(uri) !== undefined || this.bindingsOf(uri).length > 0;
  }

  /** There is such a user, registered or not. */
  private isKnown(uri: SipUri): boolean {
    const user = this.userOf(uri);
    if (user === undefined) return false;
    const { registrar, authentication } = this.services;
    return registrar.isKnown(user.aor) || authentication?.credentials.knows(user.user, user.domain) === true;
  }

  private bindingsOf(uri: SipUri): readonly Binding[] {
    const user = this.userOf(uri);
    return user === undefined ? [] : this.services.registrar.reachable(user.aor);
  }

  /** A user at this proxy's own address is a user of its first domain. */
  private userOf(uri: SipUri): { user: string; domain: string; aor: AddressOfRecord } | undefined {
    const domain = this.parts.router.isDomain(uri.host) ? uri.host : this.parts.router.firstDomain;
    return domain === undefined ? undefined : aorOf(`sip:${uri.user ?? ""}@${domain}`);
  }
}

/** Undefined for a broken escape. */
function decoded(user: string): string | undefined {
  try {
    return decodeURIComponent(user);
  } catch {
    return undefined;
  }
}

const NOT_FOUND: Answer = { status: 404, phrase: "Not Found" };
const NOT_HERE = { kind: "refused", status: 480, phrase: "Temporarily Unavailable" } as const;

const warning = (text: string): ExtraHeader => ({ name: "Warning", value: `399 sluice "${text}"` });

/** @param wantsFlow - the agent is to be reached by its connection and no other (RFC 5626) */
function arrivedBy({ request, remote, local }: Arrival, wantsFlow: boolean): Arrived {
  const { address, port, transport } = remote;
  // RFC 5626 §6: with another proxy in between the connection is that proxy's.
  if (request.vias.length > 1) return { transport, address, port, local, relayed: true };
  // Over TCP an agent may listen where its Contact says, and close what it opened.
  return wantsFlow || isWebSocket(transport) ? { ...remote, local } : { transport, address, port, local };
}

function reached({ contact, arrived }: Binding): RegisteredAgent | undefined {
  const { flow, transport, address, port, relayed } = arrived;
  const uri = parseSipUri(contact);
  const said = uri === undefined ? undefined : hopOf(uri);
  if (flow !== undefined) return { contact, hop: { host: address, port, transport, flow } };
  if (relayed === true) return said === undefined ? undefined : { contact, hop: said };
  // Behind a translator the Contact is of no use: what came from there is answered there (RFC 3581 §4).
  const hop = said?.host === address ? said : { host: address, port, transport };
  return { contact, hop };
}
