// Numbers that were measured, for people to read.

/** The number in the middle. */
export function median(numbers: number[]): number {
  return quantile(numbers, 0.5);
}

/** The number below which this share of all lies. */
export function quantile(numbers: number[], share: number): number {
  return [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length * share)]!;
}

/** A number in a table. */
export function column(number: number): string {
  return number.toFixed(1).padStart(12);
}

/** Takes measurements one after the other. What is measured second pays for what the first left behind: they take turns. */
export async function takeTurns(run: number, measurements: (() => Promise<unknown>)[]): Promise<void> {
  for (const measure of run % 2 === 1 ? measurements : [...measurements].reverse()) {
    await measure();
  }
}
