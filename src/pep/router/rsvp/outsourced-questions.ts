/** Request states at the policy server: handles, questions and what was answered, for owners that are one reservation each. */
import { REASON } from "../../../cops/codec/codes.js";
import { type CopsContext, type DecMessage, handleKey } from "../../../cops/codec/message.js";
import type { PepClient } from "../../../cops/endpoint/pep-client.js";
import { requestHandle } from "../../../cops/rsvp/codes.js";
import { type RsvpVerdict, readVerdict } from "../../../cops/rsvp/verdict.js";
import { ProtocolError } from "../../../model/errors.js";
import { PacedRequests, type PacedRequestsOptions } from "./outsourced-pacing.js";
import type { RequestContents } from "./outsourced-request.js";

/** What is needed of the client of the policy server. */
export type PolicyClient = Pick<PepClient, "request" | "report" | "deleteRequest" | "synchronizeComplete">;

interface Place {
  readonly handle: Buffer;
  /** Of the last request. */
  context: CopsContext;
}

export interface Told<Owner> {
  readonly owner: Owner;
  readonly verdict: RsvpVerdict;
}

const HANDLES = 0xffff_ffff;
/** Connections that may break under a question. */
const MAX_ATTEMPTS = 3;

export class Questions<Owner extends object> {
  readonly #pace: PacedRequests;
  readonly #places = new Map<Owner, Place>();
  readonly #owners = new Map<string, Owner>();
  #client: PolicyClient | undefined;
  #connected = false;
  #lastHandle = 0;

  constructor(options: PacedRequestsOptions) {
    this.#pace = new PacedRequests(options);
  }

  get connected(): boolean {
    return this.#connected;
  }

  start(client: PolicyClient): void {
    this.#client = client;
  }

  up(): void {
    this.#connected = true;
    this.#pace.up();
  }

  /** Handles are of the connection: with it they all go. */
  down(): void {
    this.#connected = false;
    this.#places.clear();
    this.#owners.clear();
    this.#pace.down();
  }

  close(): void {
    this.#pace.close();
  }

  /**
   * One question of an owner at a time; one that a broken connection leaves open is asked again on the next. Without a decision
   * its handle is gone.
   * @param contents - made when its turn has come; undefined if nobody wants to know any more
   * @throws ProtocolError as `PepClient.request` does
   */
  async ask(owner: Owner, contents: () => RequestContents | undefined): Promise<RsvpVerdict> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#pace.run(() => this.#request(owner, contents()));
      } catch (error) {
        if (isOver(error)) this.#forget(owner);
        else this.delete(owner, REASON.unspecified);
        const mayWait = isDown(error) && attempt < MAX_ATTEMPTS && !this.#pace.gaveUp;
        if (!mayWait) throw error;
      }
    }
  }

  report(owner: Owner, success: boolean): void {
    const place = this.#places.get(owner);
    if (place === undefined) return;
    this.#client?.report(place.handle, { type: success ? "success" : "failure", solicited: true });
  }

  /** RFC 2748 §3.4. Nothing, if the server has not been asked. */
  delete(owner: Owner, reason: number): void {
    const place = this.#places.get(owner);
    this.#forget(owner);
    if (place !== undefined && this.#connected) this.#client?.deleteRequest(place.handle, { code: reason, subCode: 0 });
  }

  /** The server names a handle that is none of ours. */
  deleteUnknown(handle: Buffer, reason: number): void {
    this.#client?.deleteRequest(handle, { code: reason, subCode: 0 });
  }

  /** Whether the server knows of the owner: not, if the connection broke right after its decision. */
  isOpen(owner: Owner): boolean {
    return this.#places.has(owner);
  }

  ownerOf(handle: Buffer): Owner | undefined {
    return this.#owners.get(handleKey(handle));
  }

  /** An unsolicited decision; undefined for a handle that has ended. */
  told(dec: DecMessage): Told<Owner> | undefined {
    const owner = this.ownerOf(dec.handle);
    const place = owner === undefined ? undefined : this.#places.get(owner);
    if (owner === undefined || place === undefined) return undefined;
    return { owner, verdict: readVerdict(place.context, dec) };
  }

  /** The client has deleted the handle by itself. */
  abandoned(owner: Owner): void {
    this.#forget(owner);
  }

  /** The SSC follows the last of the requests, not their decisions (RFC 2748 §3.5). Resolves without one if the server is gone. */
  async synchronized(handle?: Buffer): Promise<void> {
    const done = async (): Promise<void> => this.#client?.synchronizeComplete(handle);
    await this.#pace.run(done).catch(() => undefined);
  }

  async #request(owner: Owner, contents: RequestContents | undefined): Promise<RsvpVerdict> {
    const client = this.#client;
    if (contents === undefined || client === undefined) {
      throw new ProtocolError("COPS_DELETED", "nobody wants to know any more");
    }
    const { context } = contents;
    const place = this.#places.get(owner) ?? this.#open(owner, context);
    place.context = context;
    return readVerdict(context, await client.request({ handle: place.handle, ...contents }));
  }

  #open(owner: Owner, context: CopsContext): Place {
    // A connection does not live through all of them.
    this.#lastHandle = (this.#lastHandle % HANDLES) + 1;
    const place: Place = { handle: requestHandle(this.#lastHandle), context };
    this.#places.set(owner, place);
    this.#owners.set(handleKey(place.handle), owner);
    return place;
  }

  #forget(owner: Owner): void {
    const place = this.#places.get(owner);
    if (place !== undefined) this.#owners.delete(handleKey(place.handle));
    this.#places.delete(owner);
  }
}

/** Whether the handle is gone with the request. */
function isOver(error: unknown): boolean {
  return error instanceof ProtocolError && ["COPS_TIMEOUT", "COPS_DOWN", "COPS_DELETED"].includes(error.code);
}

const isDown = (error: unknown): boolean => error instanceof ProtocolError && error.code === "COPS_DOWN";
