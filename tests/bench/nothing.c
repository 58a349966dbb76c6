/* SPDX-License-Identifier: MIT */
/* An app that ends at once: what is left of a run is the time until its exec. Linked static. */
int main(void)
{
	return 0;
}
