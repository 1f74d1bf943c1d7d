/** A promise that somebody else settles. */
export interface Waiting {
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

export function waitingPromise(): Waiting & { readonly promise: Promise<void> } {
  let resolve: Waiting["resolve"] = () => undefined;
  let reject: Waiting["reject"] = () => undefined;
  const promise = new Promise<void>((settle, fail) => {
    resolve = settle;
    reject = fail;
  });
  return { promise, resolve, reject };
}
