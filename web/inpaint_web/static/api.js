// Asking the server. What it refuses for good is told apart from what may work in a moment.

export class Refused extends Error {
  constructor(status, told) {
    super(told.message ?? "The server refused it.");
    this.status = status;
    this.code = told.code ?? "";
    this.waitS = told.wait_s ?? 0;
  }
}

export class Unreachable extends Error {
  constructor(waitS = 0) {
    super("No answer from the server.");
    this.waitS = waitS;
  }
}

// A version 4 UUID. `crypto.randomUUID` is there over https and on this machine alone.
export function newId() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

export async function ask(method, path, body) {
  let response;
  try {
    response = await fetch(path, {
      method,
      credentials: "same-origin",
      headers: body === undefined ? {} : { "content-type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.timeout(15_000),
    });
  } catch {
    throw new Unreachable();
  }
  if (response.status === 429 || response.status >= 500) {
    throw new Unreachable(Number(response.headers.get("retry-after") ?? 0));
  }
  let answer;
  try {
    answer = await response.json();
  } catch {
    throw new Unreachable();
  }
  if (!response.ok) throw new Refused(response.status, answer.error ?? {});
  return answer;
}
