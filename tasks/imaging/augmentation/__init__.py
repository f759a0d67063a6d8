"""What augmentation is made of: movements of the patient within the image, and changes of how he was taken."""
