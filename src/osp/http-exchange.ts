/** One HTTP POST of an OSP body and its answer: sizes and times bounded, no retry, no OSP. */
import { request as httpRequest, type IncomingMessage, type RequestOptions } from "node:http";
import { request as httpsRequest } from "node:https";
import type { Clock } from "../model/clock.js";
import { ProtocolError } from "../model/errors.js";
import type { Millis } from "../model/units.js";
import { endOf, type MessageEnds } from "./message-hook.js";

export interface ExchangeOptions {
  readonly url: URL;
  readonly request: RequestOptions;
  readonly clock: Clock;
  /** For the whole exchange, connecting included. */
  readonly timeout: Millis;
  readonly maxResponseOctets: number;
  readonly onConnected: (ends: MessageEnds) => void;
}

/** @throws ProtocolError OSP_TIMEOUT, OSP_UNREACHABLE, OSP_HTTP_STATUS or OSP_RESPONSE_SIZE */
export function exchange(body: Buffer, options: ExchangeOptions): Promise<Buffer> {
  const { url, clock, timeout, maxResponseOctets } = options;
  return new Promise((resolve, reject) => {
    const post = url.protocol === "https:" ? httpsRequest : httpRequest;
    // Field order and spelling as deployed clients send them; servers take nothing else for granted.
    const headers = { "content-type": "text/plain", "Content-Length": String(body.length) };
    const request = post(url, { ...options.request, method: "POST", headers });
    const deadline = clock.after(timeout, () => fail(timedOut(timeout)));
    const fail = (error: ProtocolError): void => {
      deadline.cancel();
      request.destroy();
      reject(error);
    };
    const succeed = (answer: Buffer): void => {
      deadline.cancel();
      resolve(answer);
    };
    request.on("socket", (socket) => {
      const connected = (): void => {
        const from = endOf(socket.localAddress, socket.localPort);
        options.onConnected({ from, to: endOf(socket.remoteAddress, socket.remotePort) });
      };
      if (socket.connecting) socket.once("connect", connected);
      else connected();
    });
    request.on("error", (error) => fail(unreachableServer(url, error)));
    request.on("response", (response) => collect(response, { url, maxResponseOctets, succeed, fail }));
    request.end(body);
  });
}

interface Collector {
  readonly url: URL;
  readonly maxResponseOctets: number;
  readonly succeed: (body: Buffer) => void;
  readonly fail: (error: ProtocolError) => void;
}

function collect(response: IncomingMessage, { url, maxResponseOctets, succeed, fail }: Collector): void {
  if (response.statusCode !== 200) {
    fail(new HttpStatusError(url, response.statusCode ?? 0));
    return;
  }
  const chunks: Buffer[] = [];
  let size = 0;
  const tooLarge = (): void =>
    fail(new ProtocolError("OSP_RESPONSE_SIZE", `${url.host} answered with more than ${maxResponseOctets} octets`));
  if (Number(response.headers["content-length"] ?? 0) > maxResponseOctets) {
    tooLarge();
    return;
  }
  response.on("data", (chunk: Buffer) => {
    size += chunk.length;
    if (size > maxResponseOctets) tooLarge();
    else chunks.push(chunk);
  });
  response.on("error", (error) => fail(unreachableServer(url, error)));
  response.on("end", () => succeed(Buffer.concat(chunks)));
}

/** The server answered, with another HTTP status than 200: the message itself got no OSP answer. */
export class HttpStatusError extends ProtocolError {
  readonly status: number;

  constructor(url: URL, status: number) {
    super("OSP_HTTP_STATUS", `${url.host} answered with HTTP status ${status}`, {
      remedy: "check the path of the clearinghouse's URL",
    });
    this.status = status;
  }
}

const timedOut = (timeout: Millis): ProtocolError =>
  new ProtocolError("OSP_TIMEOUT", `the clearinghouse did not answer within ${timeout} ms`);

const unreachableServer = (url: URL, cause: Error): ProtocolError =>
  new ProtocolError("OSP_UNREACHABLE", `the clearinghouse at ${url.host} cannot be reached: ${cause.message}`, {
    cause,
    remedy: "check that the clearinghouse runs, its address, and the route to it",
  });
