/** The body of a request: bounded in size and time. */
import type { IncomingMessage } from "node:http";
import type { Clock } from "../model/clock.js";
import type { Millis } from "../model/units.js";

export interface BodyLimits {
  /** Octets. */
  readonly most: number;
  /** For the whole of it to come in. */
  readonly time: Millis;
  readonly clock: Clock;
}

/** The whole body, or the HTTP status that says why there is none. */
export function readBody(request: IncomingMessage, { most, time, clock }: BodyLimits): Promise<Buffer | number> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const deadline = clock.after(time, () => resolve(408));
    const finish = (outcome: Buffer | number): void => {
      deadline.cancel();
      resolve(outcome);
    };
    request.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size <= most) chunks.push(chunk);
      else finish(413);
    });
    request.on("end", () => finish(Buffer.concat(chunks)));
    // The client went away in the middle: nobody is left to read the answer.
    request.on("error", () => finish(400));
    request.on("close", () => finish(400));
  });
}
