/** What a proxy looks at before it does anything with a request: RFC 3261 §16.3. Syntax and scheme are the validator's. */
import type { SipRequest } from "../message/message.js";
import { parseSipUri } from "../message/uri.js";
import type { BranchMaker } from "./branch.js";
import type { Router } from "./routing.js";
import type { Answer } from "./user-services.js";

export interface CheckParts {
  readonly branches: BranchMaker;
  readonly router: Router;
}

/** In the order of §16.3; undefined if nothing is wrong. */
export function checkRequest(request: SipRequest, { branches, router }: CheckParts): Answer | undefined {
  // §16.3 step 3. An OPTIONS that ends here may be answered as if it were for us (§11.1).
  if (request.maxForwards === 0 && request.method !== "OPTIONS") return { status: 483, phrase: "Too Many Hops" };
  // §16.3 step 4.
  if (branches.isLoop(request, (via) => router.isSelf(via))) return { status: 482, phrase: "Loop Detected" };
  // §16.3 step 5: this proxy knows no extension by name.
  const required = request.headerList("proxy-require");
  if (required.length === 0) return undefined;
  const headers = [{ name: "Unsupported", value: required.join(", ") }];
  return { status: 420, phrase: "Bad Extension", headers };
}

/** True for REGISTER, and for what has this proxy itself as its target, or may go no further. */
export function isForProxy(request: SipRequest, router: Router): boolean {
  if (request.maxForwards === 0 || request.method === "REGISTER") return true;
  const preprocessed = router.preprocess(request);
  const uri = parseSipUri(preprocessed.requestUri);
  return preprocessed.routes.length === 0 && uri?.user === undefined && uri !== undefined && router.isOurs(uri);
}
