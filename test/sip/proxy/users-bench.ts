/** A proxy with users of its own: browsers on connections, and telephones. */
import { randomBytes } from "node:crypto";
import { SILENT_LOGGER } from "../../../src/model/log.js";
import { seconds, timestamp } from "../../../src/model/units.js";
import { type DigestAlgorithm, digestResponse, ha1Of } from "../../../src/sip/auth/algorithms.js";
import { CredentialStore } from "../../../src/sip/auth/credential-store.js";
import { shortLivedCredentials } from "../../../src/sip/auth/short-lived.js";
import { DigestVerifier } from "../../../src/sip/auth/verifier.js";
import type { Directory } from "../../../src/sip/location/directory.js";
import type { SipRequest, SipResponse } from "../../../src/sip/message/message.js";
import type { DialogContext, ProxyPolicy } from "../../../src/sip/proxy/policy.js";
import type { UserServices } from "../../../src/sip/proxy/user-services.js";
import { type BindingStore, Registrar } from "../../../src/sip/registrar/registrar.js";
import type { Destination, FlowId } from "../../../src/sip/transport/transport.js";
import { FakeClock, settle } from "../../support/fake-clock.js";
import { BOB, Lab, nameOf, PROXY, SDP } from "../harness.js";

export const REALM = "example.com";
export const SECRET = "shared";
export const WS = { address: "192.0.2.1", port: 8443, transport: "wss" } as const;
const phoneHa1 = ha1Of("SHA-256", { user: "phone", realm: REALM, password: "pw" });

export interface BenchOptions {
  readonly directory?: Directory;
  readonly always?: boolean;
  readonly authenticated?: boolean;
  readonly policy?: Partial<ProxyPolicy>;
  readonly store?: BindingStore;
}

export class UsersBench {
  readonly clock = new FakeClock(1_700_000_000_000);
  readonly ended: string[] = [];
  /** As the policy was given them last. */
  readonly contexts = new Map<string, DialogContext>();
  readonly verifier: DigestVerifier;
  readonly registrar: Registrar;
  readonly lab: Lab;
  private flows = 0;

  constructor(options: BenchOptions = {}) {
    const { clock } = this;
    const accounts = [{ user: "phone", domain: REALM, ha1: { "SHA-256": phoneHa1 } }];
    const credentials = new CredentialStore({ accounts, secret: SECRET, firstDomain: REALM });
    this.verifier = new DigestVerifier({ credentials });
    this.registrar = new Registrar({ clock, logger: SILENT_LOGGER, ...(options.store && { store: options.store }) });
    const authentication = {
      verifier: this.verifier,
      credentials,
      algorithms: ["SHA-256"],
      webAlgorithms: ["MD5"],
      always: options.always === true,
    } as const;
    const users: UserServices = {
      registrar: this.registrar,
      flowGrace: seconds(10),
      ...(options.authenticated === false ? {} : { authentication }),
      ...(options.directory === undefined ? {} : { directory: options.directory }),
    };
    const pass = async (context: DialogContext) => {
      this.contexts.set(context.callId, context);
      return { forward: true } as const;
    };
    const policy: Partial<ProxyPolicy> = {
      invite: pass,
      response: pass,
      ended: async (_context, kind, message) => void this.ended.push(`${kind} ${nameOf(message)}`),
      ...options.policy,
    };
    this.lab = new Lab(policy, { users, clock }, [PROXY, WS]);
  }

  /** A browser connects. */
  connect(user: string): Browser {
    this.flows += 1;
    const id = randomBytes(12).toString("hex") as FlowId;
    const remote = { address: "198.51.100.20", port: 40_000 + this.flows, transport: "wss", flow: id } as const;
    this.lab.transport.openFlow({ id, local: WS, remote });
    return new Browser(this, user, remote);
  }

  async browser(user: string): Promise<Browser> {
    const browser = this.connect(user);
    await browser.logIn();
    return browser;
  }
}

export class Browser {
  readonly user: string;
  readonly bench: UsersBench;
  readonly remote: Destination & { readonly flow: FlowId };
  instance: string;
  private cseq = 0;
  private taken = 0;

  constructor(bench: UsersBench, user: string, remote: Destination & { readonly flow: FlowId }) {
    this.bench = bench;
    this.user = user;
    this.remote = remote;
    this.instance = `urn:uuid:${user}`;
    this.taken = bench.lab.transport.sent.length;
  }

  get contact(): string {
    return `sip:${this.user}@abc.invalid;transport=ws`;
  }

  say(method: string, parts: Partial<Said> = {}): void {
    this.cseq += 1;
    const {
      uri = `sip:bob@${REALM}`,
      to = uri,
      toTag,
      fromTag = "w1",
      from = this.user,
      body = "",
      extra = [],
    } = parts;
    const cseq = parts.cseq ?? this.cseq;
    const lines = [
      `${method} ${uri} SIP/2.0`,
      `Via: SIP/2.0/WSS abc.invalid;branch=z9hG4bK-${this.remote.port}-${this.cseq}`,
      "Max-Forwards: 70",
      `From: <sip:${from.includes("@") ? from : `${from}@${REALM}`}>;tag=${fromTag}`,
      `To: <${to}>${toTag === undefined ? "" : `;tag=${toTag}`}`,
      `Call-ID: ${parts.callId ?? "web-1"}`,
      `CSeq: ${cseq} ${method}`,
      ...(extra.some((line) => line.startsWith("Contact")) ? [] : [`Contact: <${this.contact}>`]),
      ...extra,
      ...(body === "" ? [] : ["Content-Type: application/sdp"]),
      `Content-Length: ${body.length}`,
    ];
    this.bench.lab.transport.inject(`${lines.join("\r\n")}\r\n\r\n${body}`, this.remote, WS);
  }

  register(expires = 600, extra: readonly string[] = []): void {
    const contact = `Contact: <${this.contact}>;+sip.instance="<${this.instance}>";reg-id=1;expires=${expires}`;
    const to = `sip:${this.user}@${REALM}`;
    const common = { uri: `sip:${REALM}`, to, callId: `reg-${this.remote.port}` };
    this.say("REGISTER", { ...common, extra: [contact, "Supported: outbound", ...extra] });
  }

  /** Registers as a portal's page does. */
  logIn(): Promise<SipResponse> {
    return this.registerFor(600);
  }

  logOut(): Promise<SipResponse> {
    return this.registerFor(0);
  }

  private async registerFor(expires: number): Promise<SipResponse> {
    this.register(expires);
    await settle();
    const challenge = this.last() as SipResponse;
    const login = shortLivedCredentials(SECRET, this.user, timestamp(this.bench.clock.now() + 3_600_000));
    this.register(expires, [`Authorization: ${answerTo(challenge, "REGISTER", login)}`]);
    await settle();
    return this.last() as SipResponse;
  }

  /** What came since the last call, as names. */
  heard(): string[] {
    const mine = this.bench.lab.transport.sent
      .slice(this.taken)
      .filter(({ remote }) => remote.flow === this.remote.flow);
    this.taken = this.bench.lab.transport.sent.length;
    return mine.map(({ message }) => nameOf(message));
  }

  last(method?: string): SipRequest | SipResponse {
    const found = this.bench.lab.transport.sent.findLast(
      ({ message, remote }) => remote.flow === this.remote.flow && (method === undefined || nameOf(message) === method),
    );
    if (found === undefined) throw new Error(`${this.user} heard nothing`);
    return found.message as SipRequest | SipResponse;
  }

  async call(uri: string): Promise<void> {
    this.say("INVITE", { uri, body: SDP });
    await settle();
  }

  /** Answers the INVITE that came last. */
  async accept(): Promise<void> {
    const invite = this.last("INVITE") as SipRequest;
    const lines = [
      "SIP/2.0 200 OK",
      ...invite.headerLines("via").map((via) => `Via: ${via}`),
      ...invite.recordRoutes.map((route) => `Record-Route: ${route}`),
      `From: ${invite.header("from")}`,
      `To: ${invite.header("to")};tag=m1`,
      `Call-ID: ${invite.callId}`,
      `CSeq: ${invite.header("cseq")}`,
      `Contact: <${this.contact}>`,
      "Content-Type: application/sdp",
      `Content-Length: ${SDP.length}`,
    ];
    this.bench.lab.transport.inject(`${lines.join("\r\n")}\r\n\r\n${SDP}`, this.remote, WS);
    await settle();
  }

  close(): void {
    this.bench.lab.transport.closeFlow(this.remote.flow);
  }
}

interface Said {
  readonly uri: string;
  readonly to: string;
  readonly toTag: string;
  readonly fromTag: string;
  readonly from: string;
  readonly cseq: number;
  readonly callId: string;
  readonly body: string;
  readonly extra: readonly string[];
}

/** The credentials that answer a challenge, by its first algorithm. */
export function answerTo(
  challenge: SipResponse,
  method: string,
  login: { readonly username: string; readonly password: string; readonly uri?: string },
): string {
  const value = challenge.header("www-authenticate") ?? challenge.header("proxy-authenticate") ?? "";
  const nonce = /nonce="([^"]+)"/.exec(value)?.[1] ?? "";
  const algorithm = (/algorithm=([\w-]+)/.exec(value)?.[1] ?? "MD5") as DigestAlgorithm;
  const { username, password, uri = `sip:${REALM}` } = login;
  const input = { method, uri, nonce, nc: "00000001", cnonce: randomBytes(6).toString("hex") };
  const response = digestResponse(algorithm, ha1Of(algorithm, { user: username, realm: REALM, password }), input);
  return (
    `Digest username="${username}", realm="${REALM}", nonce="${nonce}", uri="${uri}", response="${response}", ` +
    `algorithm=${algorithm}, qop=auth, nc=00000001, cnonce="${input.cnonce}"`
  );
}

export const bobUri = `sip:bob@${BOB.address}:${BOB.port}`;
