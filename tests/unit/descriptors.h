/* How a test runs out of descriptors. */
#pragma once

/* Lets the process open @n more; a negative one: as many as before. */
void descriptors_leave(int n);
