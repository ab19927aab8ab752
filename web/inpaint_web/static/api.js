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
