/**
 * A registrar and relay for browsers over WSS, as small as it can be: checks the digest, and hands messages to whoever else is in the
 * dialog. It grants, reduces or refuses as a test says, as the proxies do for policy servers.
 */
import { createHash } from "node:crypto";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { type WebSocket, WebSocketServer } from "ws";
import { makeKey } from "../../../osp/support.js";

/** What becomes of an INVITE that is answered. */
export interface RelayPolicy {
  /** Values of `Sluice-Granted` for the 2xx. */
  granted: readonly string[];
  /** Instead of handing an INVITE on: a status line's rest, and headers. */
  refuse: { readonly status: string; readonly headers: readonly string[] } | undefined;
  /** Seconds that a registration lasts. */
  expires: number;
  /** Nobody may register. */
  isClosed: boolean;
}

export interface SipRelay {
  readonly port: number;
  readonly policy: RelayPolicy;
  /** Every message, in order, with the user that sent it. */
  readonly messages: { readonly from: string; readonly text: string }[];
  readonly registered: ReadonlySet<string>;
  /** Ends every dialog from both sides, as a proxy does when a policy server says so; with this Reason. */
  end(reason: string): void;
  /** Asks both sides of every dialog to go on with somebody else, as if the other had (RFC 3515). */
  refer(uri: string): void;
  /** Cuts all connections. */
  drop(): void;
  close(): Promise<void>;
}

interface Party {
  readonly socket: WebSocket;
  user: string;
  contact: string;
}

const REALM = "a.example";
const md5 = (text: string): string => createHash("md5").update(text).digest("hex");

export const header = (text: string, name: string): string =>
  new RegExp(`^${name}:\\s*(.*)$`, "im").exec(text)?.[1]?.trim() ?? "";

/** @param passwordOf - of a user name for the digest */
export async function startSipRelay(passwordOf: (username: string) => string): Promise<SipRelay> {
  const files = await makeKey("sip1.a.example");
  const server: Server = createServer({ key: files.keyPem, cert: files.certificatePem });
  const sockets = new WebSocketServer({ server, handleProtocols: () => "sip" });
  const parties = new Set<Party>();
  const dialogs = new Map<string, readonly [Party, Party]>();
  const registered = new Set<string>();
  const policy: RelayPolicy = { granted: [], refuse: undefined, expires: 300, isClosed: false };
  const messages: { from: string; text: string }[] = [];
  const relay = { parties, dialogs, registered, policy, passwordOf };
  sockets.on("connection", (socket) => {
    const party: Party = { socket, user: "", contact: "" };
    parties.add(party);
    socket.on("message", (data) => {
      const text = String(data);
      messages.push({ from: party.user, text });
      receive(relay, party, text);
    });
    socket.on("close", () => {
      parties.delete(party);
      registered.delete(party.user);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    policy,
    messages,
    registered,
    end: (reason) => {
      for (const dialog of dialogs.values()) ask(dialog, messages, "BYE", `Reason: ${reason}`);
    },
    refer: (uri) => {
      for (const dialog of dialogs.values()) ask(dialog, messages, "REFER", `Refer-To: <${uri}>`);
    },
    drop: () => {
      for (const { socket } of parties) socket.terminate();
    },
    close: async () => {
      for (const { socket } of parties) socket.terminate();
      sockets.close();
      await new Promise((resolve) => server.close(resolve));
      await files.remove();
    },
  };
}

/** To each side as if the other had sent it: taken from what the two said when they began. */
function ask(parties: readonly [Party, Party], messages: SipRelay["messages"], method: string, line: string): void {
  const accepted = messages.findLast(({ text }) => text.startsWith("SIP/2.0 200") && text.includes("m="))?.text ?? "";
  const [caller, callee] = parties;
  const [from, to, callId] = [header(accepted, "From"), header(accepted, "To"), header(accepted, "Call-ID")];
  const send = (party: Party, theirs: string, own: string): void => {
    const lines = [
      `${method} ${party.contact} SIP/2.0`,
      `Via: SIP/2.0/WSS relay.invalid;branch=z9hG4bK${method}`,
      `From: ${theirs}`,
      `To: ${own}`,
      `Call-ID: ${callId}`,
      `CSeq: 9000 ${method}`,
      "Max-Forwards: 70",
      line,
      "Content-Length: 0",
    ];
    party.socket.send(`${lines.join("\r\n")}\r\n\r\n`);
  };
  send(caller, to, from);
  send(callee, from, to);
}

interface Relay {
  readonly parties: Set<Party>;
  readonly dialogs: Map<string, readonly [Party, Party]>;
  readonly registered: Set<string>;
  readonly policy: RelayPolicy;
  readonly passwordOf: (username: string) => string;
}

function receive(relay: Relay, party: Party, text: string): void {
  const dialog = relay.dialogs.get(header(text, "Call-ID"));
  const isInvite = text.startsWith("INVITE ");
  if (text.startsWith("REGISTER ")) register(relay, party, text);
  else if (isInvite && relay.policy.refuse !== undefined) {
    answer(party, text, relay.policy.refuse.status, relay.policy.refuse.headers);
  } else if (isInvite && dialog === undefined) invite(relay, party, text);
  else
    handOn(
      relay,
      dialog?.find((each) => each !== party),
      text,
    );
}

function handOn({ policy }: Relay, other: Party | undefined, text: string): void {
  const isAccepted = text.startsWith("SIP/2.0 2") && /INVITE$/.test(header(text, "CSeq"));
  const grants = isAccepted ? policy.granted.map((value) => `Sluice-Granted: ${value}\r\n`).join("") : "";
  other?.socket.send(text.replace("\r\nContent-Length:", `\r\n${grants}Content-Length:`));
}

function invite(relay: Relay, party: Party, text: string): void {
  const user = /^INVITE sip:([^@]+)@/.exec(text)?.[1] ?? "";
  const callee = [...relay.parties].find((each) => each.user === user);
  if (callee === undefined) {
    answer(party, text, "404 Not Found", []);
    return;
  }
  relay.dialogs.set(header(text, "Call-ID"), [party, callee]);
  callee.socket.send(text.replace(/^INVITE \S+/, `INVITE ${callee.contact}`));
}

function register(relay: Relay, party: Party, text: string): void {
  if (relay.policy.isClosed) {
    answer(party, text, "403 Forbidden", []);
    return;
  }
  const given = header(text, "Authorization");
  const field = (name: string): string => new RegExp(`\\b${name}="?([^",]*)`).exec(given)?.[1] ?? "";
  const username = field("username");
  const ha1 = md5(`${username}:${REALM}:${relay.passwordOf(username)}`);
  const ha2 = md5(`REGISTER:${field("uri")}`);
  const expected = md5(`${ha1}:${field("nonce")}:${field("nc")}:${field("cnonce")}:auth:${ha2}`);
  if (field("response") !== expected) {
    const challenge = `WWW-Authenticate: Digest realm="${REALM}", nonce="n${Date.now()}", qop="auth", algorithm=MD5`;
    answer(party, text, "401 Unauthorized", [challenge]);
    return;
  }
  const contact = header(text, "Contact");
  party.contact = /<([^>]+)>/.exec(contact)?.[1] ?? "";
  const isGone = /expires=0\b/.test(contact);
  party.user = isGone ? "" : (username.split(":")[1] ?? "");
  if (isGone) relay.registered.delete(username.split(":")[1] ?? "");
  else relay.registered.add(party.user);
  answer(party, text, "200 OK", isGone ? [] : [`Contact: <${party.contact}>;expires=${relay.policy.expires}`]);
}

/** RFC 3261 §8.2.6: what a response takes from its request. */
function answer(party: Party, request: string, status: string, headers: readonly string[]): void {
  const copied = ["Via", "From", "Call-ID", "CSeq"].map((name) => `${name}: ${header(request, name)}`);
  const to = header(request, "To");
  const lines = [`SIP/2.0 ${status}`, ...copied, `To: ${to.includes("tag=") ? to : `${to};tag=relay`}`, ...headers];
  party.socket.send(`${[...lines, "Content-Length: 0"].join("\r\n")}\r\n\r\n`);
}
