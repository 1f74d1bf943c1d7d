/** Any event for the connection machines. */
import fc from "fast-check";
import { CopsDecodeError } from "../../../src/cops/codec/errors.js";
import type { CopsMessage } from "../../../src/cops/codec/message.js";
import { anyMessage, handle } from "../arbitraries.js";

export const CLIENT_TYPE = 2;

/** Mostly of the client-type in question, as otherwise hardly anything would happen. */
export const message: fc.Arbitrary<CopsMessage> = fc
  .tuple(anyMessage, fc.constantFrom(CLIENT_TYPE, CLIENT_TYPE, CLIENT_TYPE, 3, 0))
  .map(([any, clientType]) => (any.op === "KA" ? any : { ...any, clientType }));

export const unreadable: fc.Arbitrary<CopsDecodeError> = fc
  .record({
    op: fc.option(fc.nat(12), { nil: undefined }),
    clientType: fc.constantFrom(CLIENT_TYPE, 3, 0),
    handle: fc.option(handle, { nil: undefined }),
    code: fc.constantFrom(3, 7, 13),
    framingLost: fc.boolean(),
  })
  .map(({ op, clientType, handle: found, code, framingLost }) => {
    const legible = {
      clientType,
      ...(op === undefined ? {} : { op }),
      ...(found === undefined ? {} : { handle: found }),
    };
    const answer = { code, subCode: 7 };
    return new CopsDecodeError("test", { offset: 0, object: "test" }, answer, { legible, framingLost });
  });
